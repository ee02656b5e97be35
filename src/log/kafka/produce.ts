import { type Reader, Writer } from '@platformatic/kafka'
import type { Cluster } from './cluster.ts'
import { faultOf, toFault } from './fault.ts'

export interface ProduceRequest {
  readonly transactionalId: string | null
  readonly topic: string
  readonly partition: number
  readonly batch: Buffer
  readonly timeoutMs: number
}

const apiKey = 0
/** What Kafka 3.5 speaks; later versions differ in errors only. */
const apiVersion = 9

/**
 * Sends one batch to its leader. Resolves once all replicas in sync have it, with the offset of its
 * first record.
 */
export async function produce(cluster: Cluster, request: ProduceRequest): Promise<number> {
  const { topic, partition } = request
  const what = `Write to ${topic}/${partition}`
  const address = await cluster.leader(topic, partition)
  try {
    const connection = await cluster.connection(address)
    const { promise, resolve, reject } = Promise.withResolvers<Answer>()
    const done = (error: Error | null, answer?: Answer) =>
      error ? reject(error) : resolve(answer!)
    connection.send(apiKey, apiVersion, () => encode(request), readAnswer, true, true, done)
    const { code, offset } = await promise
    if (code !== 0) throw faultOf(code, what)
    return offset
  } catch (error) {
    const fault = toFault(error, what)
    if ('id' in fault && fault.id === 'NETWORK') cluster.drop(address)
    throw fault
  }
}

/** acks: all. The client's own encoder spends 9 µs a record; here the bytes are ready. */
function encode({ transactionalId, topic, partition, batch, timeoutMs }: ProduceRequest): Writer {
  return Writer.create()
    .appendString(transactionalId)
    .appendInt16(-1)
    .appendInt32(timeoutMs)
    .appendArray([topic], (topics, name) =>
      topics.appendString(name).appendArray([partition], (partitions, index) =>
        partitions
          .appendInt32(index)
          .appendUnsignedVarInt(batch.length + 1)
          .append(batch),
      ),
    )
    .appendTaggedFields()
}

interface Answer {
  readonly code: number
  readonly offset: number
}

/** What the one partition answers that was written to. */
function readAnswer(_correlation: number, _key: number, _version: number, reader: Reader): Answer {
  let answer = { code: 0, offset: -1 }
  reader.readArray((topics) => {
    topics.readString()
    topics.readArray((partitions) => {
      partitions.readInt32()
      answer = { code: partitions.readInt16(), offset: Number(partitions.readInt64()) }
      partitions.skip(2 * 8) // Time of appending, start of the log.
      partitions.readArray((errors) => {
        errors.readInt32()
        errors.readNullableString()
      })
      partitions.readNullableString()
    })
  })
  return answer
}
