import type { Json } from '../../core/json.ts'
import type { OrderedSpace } from '../stores/ordered-space.ts'
import { decodeKey, encodeKey, encodeValue } from '../stores/value-codec.ts'
import type { FlowContext, TableFlow } from './flow.ts'
import { TableResult } from './table-result.ts'

export interface ForeignKeyJoining {
  readonly on: (left: Json, key: Json) => Json
  readonly select: (left: Json, right: Json, key: Json) => Json
  readonly isLeft: boolean
  readonly isStored: boolean
}

/** What the left side asks of the right row that it points at. */
interface Question {
  readonly key: Json
  readonly foreignKey: Json
  readonly timestamp: number
  /** The left row that asks: an answer to a row that is no longer there is dropped. */
  readonly left: Json
  /** `joined`: only if there is a right row; `told`: also if not; `gone`: the result goes. */
  readonly wants: 'joined' | 'told' | 'gone'
}

interface Answer {
  readonly key: Json
  readonly right: Json
  readonly timestamp: number
  readonly left: Json | undefined
  /** The key of the right row. */
  readonly foreignKey: Json
}

/** A left row begins or ceases to point at a right one. */
interface Reference {
  readonly key: Json
  readonly foreignKey: Json
  readonly timestamp: number
  readonly points: boolean
}

/**
 * Each left row with the right row that it points at. Questions travel to the right row's key and
 * answers back; of its own it keeps who points at whom, where the right row is.
 */
export function joinByForeignKey(
  left: TableFlow,
  right: TableFlow,
  context: FlowContext,
  { on, select, isLeft, isStored }: ForeignKeyJoining,
): TableFlow {
  const references = context.space('references')
  const joined = (key: Json, leftRow: Json, rightRow: Json) => {
    if (leftRow === null || (rightRow === null && !isLeft)) return null
    return select(leftRow, rightRow, key) ?? null
  }
  const pointed = (row: Json, key: Json) => (row === null ? null : (on(row, key) ?? null))
  const result = new TableResult(context, isStored, {
    get(key) {
      const row = left.get(key)
      const target = pointed(row?.value ?? null, key)
      const other = target === null ? null : right.get(target)
      const value = joined(key, row?.value ?? null, other?.value ?? null)
      const timestamp = Math.max(row?.timestamp ?? 0, other?.timestamp ?? 0)
      return value === null ? null : { value, timestamp }
    },
    knowsBefore: () => false,
  })
  const take = ({ key, right: rightRow, timestamp, left: asked, foreignKey }: Answer) => {
    const row = left.get(key)?.value ?? null
    if (asked !== undefined && !isSame(asked, row)) return
    // What another task tells on its own may come when the row points elsewhere already.
    const isOfOther = context.isSpread && asked === undefined
    if (isOfOther && encodeKey(pointed(row, key)) !== encodeKey(foreignKey)) return
    const after = joined(key, row, rightRow)
    result.emit({ key, before: null, after, timestamp, isLatest: true })
  }
  const answer = context.boundary(take, ({ key }) => key)
  const reply = ({ foreignKey, wants, ...asked }: Question) => {
    const other = foreignKey === null ? null : right.get(foreignKey)
    if (wants === 'joined' && other === null) return
    const timestamp = Math.max(asked.timestamp, other?.timestamp ?? 0)
    const rightRow = wants === 'gone' ? null : (other?.value ?? null)
    answer({ key: asked.key, left: asked.left, right: rightRow, timestamp, foreignKey })
  }
  const ask = context.boundary(reply, ({ foreignKey }) => foreignKey)
  const note = ({ key, foreignKey, points }: Reference) =>
    point(references, key, foreignKey, points)
  const refer = context.isSpread ? context.boundary(note, ({ foreignKey }) => foreignKey) : note
  left.knowsBefore(true)
  left.updates.connect(({ key, before, after, timestamp, isLatest }) => {
    if (!isLatest || (before === null && after === null)) return
    const [from, to] = [pointed(before, key), pointed(after, key)]
    if (encodeKey(from) !== encodeKey(to)) {
      if (from !== null) refer({ key, foreignKey: from, timestamp, points: false })
      if (to !== null) refer({ key, foreignKey: to, timestamp, points: true })
    }
    const wants = question({ from, to, isGone: after === null, isLeft })
    if (wants === undefined) return
    // As in Kafka Streams, an inner join's delete has the time of the row that it pointed at, too.
    ask({ key, foreignKey: isLeft ? to : (to ?? from), timestamp, left: after, wants })
  })
  right.updates.connect(({ key: foreignKey, after, timestamp, isLatest }) => {
    if (!isLatest) return
    for (const [[, keyText]] of references.scan([encodeKey(foreignKey)], '')) {
      const told = { right: after, timestamp, left: undefined, foreignKey }
      answer({ key: decodeKey(keyText!), ...told })
    }
  })
  return result
}

/** Mostly it is the very same row: nothing came between question and answer. */
function isSame(a: Json, b: Json): boolean {
  return a === b || encodeValue(a) === encodeValue(b)
}

function point(references: OrderedSpace, key: Json, foreignKey: Json, points: boolean): void {
  const place = [encodeKey(foreignKey), encodeKey(key)]
  if (points) references.put(place, '')
  else references.delete(place)
}

interface Turn {
  readonly from: Json
  readonly to: Json
  /** The left row was deleted. */
  readonly isGone: boolean
  readonly isLeft: boolean
}

/** An inner join says nothing of a row that points nowhere or at the same place as before. */
function question({ from, to, isGone, isLeft }: Turn): Question['wants'] | undefined {
  if (isLeft) return isGone ? 'gone' : 'told'
  if (to === null) return from === null ? undefined : 'gone'
  return from === null || encodeKey(from) === encodeKey(to) ? 'joined' : 'told'
}
