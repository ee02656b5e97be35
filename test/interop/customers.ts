import type { NewRecord } from '../../src/core/record.ts'
import type { Schema } from '../../src/core/schema.ts'

export const customerColumns: Schema = {
  columns: [
    { name: 'id', kind: 'number', type: 'int4', key: true },
    { name: 'name', kind: 'string', type: 'text', key: false },
    { name: 'total', kind: 'decimal', type: 'numeric(10,2)', key: false },
    { name: 'doc', kind: 'json', type: 'jsonb', key: false },
  ],
}

/** Customers that come, each in a commit of its own. */
export function customers(topic: string, from: number, to: number): readonly NewRecord[] {
  return Array.from({ length: to - from }, (_, i) => {
    const id = from + i
    const source = {
      ...{ version: '1', connector: 'postgresql', name: 'db', ts_ms: 1_700_000_000_000 },
      ...{ db: 'shop', schema: 'public', table: 'customers', lsn: 24 },
    }
    const after = `{"id":${id},"name":"n${id}","total":"${id}.50","doc":{"a":[1.50]}}`
    const text = `{"before":null,"after":${after},"source":${JSON.stringify(source)},"op":"c","ts_ms":1}`
    return {
      ...{ topic, key: Buffer.from(`{"id":${id}}`), value: Buffer.from(text) },
      ...{ timestamp: 1_700_000_000_000 + id, version: BigInt(id + 1), ordinal: 0 },
      ...{ endsCommit: true, schema: customerColumns },
    }
  })
}
