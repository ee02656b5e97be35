import type { TypeInfo } from './type-info.ts'

/** name, OID, OID of the array type */
const bases: readonly (readonly [string, number, number])[] = [
  ['bool', 16, 1000],
  ['bytea', 17, 1001],
  ['char', 18, 1002],
  ['name', 19, 1003],
  ['int8', 20, 1016],
  ['int2', 21, 1005],
  ['int2vector', 22, 1006],
  ['int4', 23, 1007],
  ['regproc', 24, 1008],
  ['text', 25, 1009],
  ['oid', 26, 1028],
  ['tid', 27, 1010],
  ['xid', 28, 1011],
  ['cid', 29, 1012],
  ['oidvector', 30, 1013],
  ['json', 114, 199],
  ['xml', 142, 143],
  ['point', 600, 1017],
  ['lseg', 601, 1018],
  ['path', 602, 1019],
  ['box', 603, 1020],
  ['polygon', 604, 1027],
  ['line', 628, 629],
  ['cidr', 650, 651],
  ['float4', 700, 1021],
  ['float8', 701, 1022],
  ['circle', 718, 719],
  ['macaddr8', 774, 775],
  ['money', 790, 791],
  ['macaddr', 829, 1040],
  ['inet', 869, 1041],
  ['bpchar', 1042, 1014],
  ['varchar', 1043, 1015],
  ['date', 1082, 1182],
  ['time', 1083, 1183],
  ['timestamp', 1114, 1115],
  ['timestamptz', 1184, 1185],
  ['interval', 1186, 1187],
  ['timetz', 1266, 1270],
  ['bit', 1560, 1561],
  ['varbit', 1562, 1563],
  ['numeric', 1700, 1231],
  ['uuid', 2950, 2951],
  ['pg_lsn', 3220, 3221],
  ['tsvector', 3614, 3643],
  ['tsquery', 3615, 3645],
  ['jsonb', 3802, 3807],
  ['jsonpath', 4072, 4073],
  ['xid8', 5069, 271],
]

/** subtype, then name, OID and array OID of the range, then of its multirange */
const ranges: readonly (readonly [number, string, number, number, string, number, number])[] = [
  [23, 'int4range', 3904, 3905, 'int4multirange', 4451, 6150],
  [20, 'int8range', 3926, 3927, 'int8multirange', 4536, 6157],
  [1700, 'numrange', 3906, 3907, 'nummultirange', 4532, 6151],
  [1114, 'tsrange', 3908, 3909, 'tsmultirange', 4533, 6152],
  [1184, 'tstzrange', 3910, 3911, 'tstzmultirange', 4534, 6153],
  [1082, 'daterange', 3912, 3913, 'datemultirange', 4535, 6155],
]

/** Types whose OIDs are the same in every database, so that common tables need no look-up. */
export const builtinTypes: ReadonlyMap<number, TypeInfo> = new Map(
  builtins().map((type) => [type.oid, type]),
)

function builtins(): readonly TypeInfo[] {
  const types = new Map<number, TypeInfo>()
  const add = (type: TypeInfo, arrayOid: number) => {
    types.set(type.oid, type)
    const array = { ...named(arrayOid, `_${type.name}`), kind: 'array', element: type } as const
    types.set(arrayOid, array)
    return type
  }
  for (const [name, oid, array] of bases) add({ ...named(oid, name), kind: 'base' }, array)
  for (const [of, name, oid, array, multiName, multiOid, multiArray] of ranges) {
    const subtype = types.get(of)!
    const range = add({ ...named(oid, name), kind: 'range', subtype }, array)
    add({ ...named(multiOid, multiName), kind: 'multirange', range }, multiArray)
  }
  return [...types.values()]
}

function named(oid: number, name: string) {
  return { oid, name, namespace: 'pg_catalog', delimiter: name === 'box' ? ';' : ',' }
}
