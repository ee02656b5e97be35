import avro from 'avsc'

/** 64-bit integers as bigints, where avsc has doubles. */
const longType = avro.types.LongType.__with({
  fromBuffer: (bytes: Buffer) => bytes.readBigInt64LE(),
  toBuffer: (value: bigint) => {
    const bytes = Buffer.alloc(8)
    bytes.writeBigInt64LE(value)
    return bytes
  },
  fromJSON: BigInt,
  toJSON: Number,
  isValid: (value: unknown) => typeof value === 'bigint' && BigInt.asIntN(64, value) === value,
  compare: (a: bigint, b: bigint) => (a < b ? -1 : a > b ? 1 : 0),
})

/** To be made for each type: avsc adds the types that it meets. */
export function avroOptions(): Partial<avro.ForSchemaOptions> {
  return {
    /** Only where a value would not tell which of the types it is of. */
    wrapUnions: 'auto',
    /** Every long is a bigint, also those with a logical type. */
    typeHook: (schema: avro.Schema) => {
      const type = typeof schema === 'object' && 'type' in schema ? schema.type : schema
      return type === 'long' ? longType : undefined
    },
  }
}
