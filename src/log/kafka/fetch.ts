import { type Reader, Writer } from '@platformatic/kafka'
import type { Cluster } from './cluster.ts'
import { faultOf, toFault } from './fault.ts'

/** A partition to read from, and where. */
export interface FetchFrom {
  readonly topicId: string
  readonly partition: number
  readonly offset: number
}

/** What one partition answered. Records are those that transactions allow to be seen, and more. */
export interface Fetched {
  readonly topicId: string
  readonly partition: number
  /** 0, or the protocol's number of an error. */
  readonly code: number
  /** Everything before is decided: committed, or aborted. */
  readonly stable: number
  readonly start: number
  /** Transactions whose records from an offset on are to be left out. */
  readonly aborted: readonly { readonly producerId: bigint; readonly from: number }[]
  readonly bytes: Buffer
}

const apiKey = 1
/** The first that names topics by id, so that a topic made anew is never taken for the old one. */
const apiVersion = 13
const readCommitted = 1

export interface FetchLimits {
  /** How long the broker may wait for something to come. */
  readonly waitMs: number
  readonly bytes: number
  readonly partitionBytes: number
}

/** Asks one broker for what comes next in partitions that it leads. */
export async function fetchFrom(
  cluster: Cluster,
  address: string,
  asked: readonly FetchFrom[],
  limits: FetchLimits,
): Promise<readonly Fetched[]> {
  const what = 'Fetch records'
  try {
    const connection = await cluster.connection(address)
    const { promise, resolve, reject } = Promise.withResolvers<Answer>()
    const done = (error: Error | null, answer?: Answer) =>
      error ? reject(error) : resolve(answer!)
    connection.send(apiKey, apiVersion, () => encode(asked, limits), readAnswer, true, true, done)
    const { code, partitions } = await promise
    if (code !== 0) throw faultOf(code, what)
    return partitions
  } catch (error) {
    const fault = toFault(error, what)
    if ('id' in fault && fault.id === 'NETWORK') cluster.drop(address)
    throw fault
  }
}

function encode(
  asked: readonly FetchFrom[],
  { waitMs, bytes, partitionBytes }: FetchLimits,
): Writer {
  return Writer.create()
    .appendInt32(-1) // A client, not a replica.
    .appendInt32(waitMs)
    .appendInt32(1)
    .appendInt32(bytes)
    .appendInt8(readCommitted)
    .appendInt32(0) // No session: which partitions are asked for changes all the time.
    .appendInt32(-1)
    .appendArray([...asked], (topics, { topicId, partition, offset }) =>
      topics
        .appendUUID(topicId)
        .appendArray([partition], (partitions, index) =>
          partitions
            .appendInt32(index)
            .appendInt32(-1)
            .appendInt64(BigInt(offset))
            .appendInt32(-1)
            .appendInt64(-1n)
            .appendInt32(partitionBytes),
        ),
    )
    .appendArray([], () => {})
    .appendString('')
    .appendTaggedFields()
}

interface Answer {
  readonly code: number
  readonly partitions: readonly Fetched[]
}

/** The client would parse every record into objects of its own; here they stay bytes. */
function readAnswer(_correlation: number, _key: number, _version: number, reader: Reader): Answer {
  reader.readInt32() // Throttled for so long.
  const code = reader.readInt16()
  reader.readInt32() // Session.
  const partitions: Fetched[] = []
  reader.readArray((topics) => {
    const topicId = topics.readUUID()
    topics.readArray((each) => void partitions.push(readPartition(topicId, each)))
  })
  return { code, partitions }
}

function readPartition(topicId: string, reader: Reader): Fetched {
  const partition = reader.readInt32()
  const code = reader.readInt16()
  reader.readInt64() // High watermark.
  const stable = Number(reader.readInt64())
  const start = Number(reader.readInt64())
  const aborted = reader.readNullableArray((transactions) => ({
    producerId: transactions.readInt64(),
    from: Number(transactions.readInt64()),
  }))
  reader.readInt32() // Preferred replica.
  const bytes = reader.readNullableBytes() ?? Buffer.alloc(0)
  return { topicId, partition, code, stable, start, aborted: aborted ?? [], bytes }
}
