import { CommandFailure } from '../exit.ts'
import type { Subject } from '../inspect/sink-subject.ts'
import type { TopicState } from '../inspect/topic-state.ts'
import type { Difference } from '../inspect/verify.ts'
import { askControl, type Item } from './control.ts'
import type { Mended } from './mend.ts'

/** What became of one difference. */
export interface Repaired {
  readonly id: string
  readonly mended: boolean
  /** Why not. */
  readonly note?: string
}

export interface Repairing {
  /** The data directory. */
  readonly directory: string
  readonly subject: Subject
  readonly state: TopicState
}

/** So many items go into one question. */
const itemsAtOnce = 100

/**
 * Has the running sink write the newest record of what is missing or different, and delete what is
 * too much: with a version above both that of the document and that of the key's last record.
 */
export async function* repair(
  { directory, subject, state }: Repairing,
  differences: readonly Difference[],
): AsyncGenerator<Repaired> {
  const items: { readonly id: string; readonly item: Item }[] = []
  for (const difference of differences) {
    const item = await itemFor(difference, subject, state)
    if (typeof item === 'string') yield { id: difference.id, mended: false, note: item }
    else items.push({ id: difference.id, item })
  }
  for (let at = 0; at < items.length; at += itemsAtOnce) {
    const some = items.slice(at, at + itemsAtOnce)
    const answers = await ask(directory, subject.name, some)
    for (const [i, { id }] of some.entries()) yield repaired(id, answers[i])
  }
}

async function ask(
  directory: string,
  part: string,
  items: readonly { readonly item: Item }[],
): Promise<readonly Mended[]> {
  const question = { ask: 'mend', part, items: items.map(({ item }) => item) } as const
  const answers = await askControl(directory, question)
  if (answers === undefined) {
    throw new CommandFailure('a repair goes through the running sink: start the pipeline first')
  }
  const mended: Mended[] = []
  for await (const answer of answers) mended.push(answer as Mended)
  return mended
}

/** What to have the sink do, or why nothing can be done. */
async function itemFor(
  difference: Difference,
  subject: Subject,
  state: TopicState,
): Promise<Item | string> {
  const { id, kind, letter } = difference
  if (kind === 'refused') return `the sink refuses it: see letter ${letter}`
  const record = await state.recordOf(id)
  if (kind !== 'extra') {
    if (record === undefined) return 'the log no longer holds its record'
    const isNewer = BigInt(difference.held ?? 0) > record.version
    if (isNewer) return 'the sink holds a newer version than the topic: refill it'
    const { partition, sequence, offset } = record
    return { partition, sequence: String(sequence), offset: String(offset) }
  }
  const key = record?.key ?? subject.reading.keyOf(id)
  if (key === undefined) return 'its key cannot be told from its id: refill the sink'
  const held = BigInt(difference.held ?? 0)
  const last = record?.version ?? 0n
  const version = String((held > last ? held : last) + 1n)
  return { key: Buffer.from(key).toString('base64'), version }
}

const newer = 'the target holds a newer version, or remembers a newer delete: refill the sink'

function repaired(id: string, answer: Mended | undefined): Repaired {
  const { outcome = 'not answered', reason } = answer ?? {}
  if (outcome === 'applied' || outcome === 'coalesced') return { id, mended: true }
  if (outcome === 'stale') return { id, mended: false, note: newer }
  return { id, mended: false, note: reason === undefined ? outcome : `${outcome}: ${reason}` }
}
