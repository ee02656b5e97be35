import type { LogRecord } from '../../core/record.ts'
import {
  type Destination,
  type Inspection,
  NoSuchPlace,
  type PlaceFound,
} from '../../log/inspection.ts'
import { CommandFailure } from '../exit.ts'
import type { Stopped } from '../run/gate.ts'
import type { SinkPart } from '../run/pipeline.ts'

/** As `Inspection.placesFor`, for people. */
export async function placesFor(
  log: Inspection,
  topics: readonly string[],
  to: Destination,
): Promise<ReadonlyMap<number, PlaceFound>> {
  try {
    return await log.placesFor(topics, to)
  } catch (error) {
    throw error instanceof NoSuchPlace ? new CommandFailure(error.message) : error
  }
}

/** Has a sink go on from another place. Says what follows. */
export async function rewind(
  { gate, topics }: SinkPart,
  log: Inspection,
  to: Destination = 'beginning',
): Promise<string> {
  const places = await placesFor(log, topics, to)
  const timestamp = typeof to === 'object' && 'time' in to ? to.time : 0
  const elsewhere = await orderAll(gate, [...places.keys()], async (stopped) => {
    const place = places.get(stopped.partition)
    if (place !== undefined) await goTo(stopped, place, timestamp)
  })
  const later = `${elsewhere}${stillPaused(gate)}`
  if (to === 'end') return `goes on from the end; what it had not read is left out${later}`
  const kept = 'what it holds stays, as no older version replaces a newer one'
  return `goes on from ${placeName(to)}; ${kept}${later}`
}

/** Has a sink forget all that it has written. Says what follows. */
export async function refill({ gate, topics }: SinkPart, log: Inspection): Promise<string> {
  const partitions = await log.partitions(topics[0]!)
  const elsewhere = await orderAll(gate, Array(partitions).keys(), async ({ sink, source }) => {
    await sink.resume(source.name)
    await sink.clear(source.name)
  })
  return `is emptied, and filled from the beginning${elsewhere}${stillPaused(gate)}`
}

async function goTo(
  { sink, source }: Stopped<LogRecord>,
  { position }: PlaceFound,
  timestamp: number,
): Promise<void> {
  await sink.resume(source.name)
  await sink.commit({ source: source.name, position, timestamp })
  source.ack(position)
}

/** Says which of the partitions another process has, where the same is to be asked for. */
async function orderAll(
  gate: SinkPart['gate'],
  partitions: Iterable<number>,
  work: (stopped: Stopped<LogRecord>) => Promise<void>,
): Promise<string> {
  const done = new Set<number>()
  await gate.order(async (stopped) => {
    await work(stopped)
    done.add(stopped.partition)
  })
  const left = [...partitions].filter((partition) => !done.has(partition))
  if (left.length === 0) return ''
  return `; not so for what another process reads, partition ${left.join(', ')}: ask that one, too`
}

function placeName(to: Destination): string {
  if (typeof to === 'string') return `the ${to}`
  if ('time' in to) return new Date(to.time).toISOString()
  if ('sequence' in to) return `sequence ${to.sequence}`
  const where = to.partition === undefined ? '' : ` of partition ${to.partition}`
  return `offset ${to.offset}${where}`
}

function stillPaused({ pausedSince }: SinkPart['gate']): string {
  return pausedSince === null ? '' : ', once it is resumed'
}
