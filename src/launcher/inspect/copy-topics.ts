import { resolve } from 'node:path'
import type { LogRecord, NewRecord } from '../../core/record.ts'
import type { Sink } from '../../core/sink.ts'
import type { Position, Source } from '../../core/source.ts'
import { openEmbeddedLog } from '../../log/embedded.ts'
import { ReadOnlyLog } from '../../log/read-only.ts'
import { didYouMean } from '../config/nearest.ts'
import { CommandFailure } from '../exit.ts'
import { holdsLog } from './tap.ts'

export interface Copied {
  readonly topic: string
  readonly records: number
}

/**
 * Copies what topics hold by now into another log: all of them, or those named. What was copied
 * before is not copied again, so a copy that was cut off goes on, and a later one adds what is new.
 * The log that is read may be in use, the one that is written must not be.
 */
export async function* copyTopics(
  from: string,
  to: string,
  wanted: readonly string[],
): AsyncGenerator<Copied> {
  if (!holdsLog(resolve(from))) throw new CommandFailure(`${from} holds no log`)
  if (resolve(from) === resolve(to)) throw new CommandFailure(`${from} and ${to} are the same`)
  const source = new ReadOnlyLog(resolve(from))
  try {
    const known = [...source.lanes.all].map(({ topic }) => topic)
    const topics = choose(known, wanted)
    const target = await openEmbeddedLog({ path: resolve(to) })
    try {
      for (const topic of topics) {
        const { end, nextOffset } = source.lanes.get(topic)!
        if (end > source.visible([topic])) {
          const fix = 'run its pipeline until that is done, and copy again'
          throw new CommandFailure(`the last commit of ${topic} is written in part only: ${fix}`)
        }
        const last = BigInt(nextOffset) - 1n
        const sink = target.writer(`copy.${topic}`)
        yield { topic, records: await copyTopic(source.reader([topic]), sink, last) }
      }
    } finally {
      await target.close()
    }
  } finally {
    await source.close()
  }
}

function choose(known: readonly string[], wanted: readonly string[]): readonly string[] {
  for (const topic of wanted) {
    if (known.includes(topic)) continue
    throw new CommandFailure(`there is no topic ${topic}${didYouMean(topic, known)}`)
  }
  return wanted.length > 0 ? wanted : known
}

/** Copies up to the record with the offset `last`. Returns how many it was. */
async function copyTopic(
  source: Source<LogRecord>,
  sink: Sink<NewRecord>,
  last: bigint,
): Promise<number> {
  const stop = new AbortController()
  const resumed = await resumeCopy(source, sink)
  if (resumed.isDone(last)) return 0
  let count = 0
  for await (const { records, position, complete } of source.read(resumed.from, stop.signal)) {
    // A sequence of one log means nothing in another.
    const copies = records.map((record) => ({ ...record, cause: undefined }))
    await sink.write({ records: copies, position, complete })
    const { timestamp = 0, offset = -1n } = records.at(-1) ?? {}
    const place = `${position} ${offset}` as Position
    await sink.commit({ source: source.name, position: place, timestamp })
    count += records.length
    if (offset >= last) break
  }
  return count
}

/** The position of a copy is that of the source, and the offset of the record before it. */
async function resumeCopy(source: Source<LogRecord>, sink: Sink<NewRecord>) {
  const [from, offset = '-1'] = ((await sink.resume(source.name)) ?? '').split(' ')
  if (from === '' || from === undefined)
    return { from: undefined, isDone: (last: bigint) => last < 0n }
  if (!(await source.knows(from as Position))) {
    throw new CommandFailure(
      'the copy was begun from another log: copy into a new data directory instead',
    )
  }
  return { from: from as Position, isDone: (last: bigint) => BigInt(offset) >= last }
}
