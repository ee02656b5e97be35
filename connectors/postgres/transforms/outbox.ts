import { readEnvelope } from '../../../src/core/envelope.ts'
import { MillraceError } from '../../../src/core/errors.ts'
import { endOfValue, skipSpace } from '../../../src/core/json-scan.ts'
import { rowHeader } from '../../../src/core/record.ts'
import type { LogicalMessage, OpenRecord } from '../wal/envelope-writer.ts'
import { sanitized } from './naming.ts'
import type { OutboxOptions } from './options.ts'
import type { Shape } from './shape.ts'

/** An event's members as JSON bytes, by the name of the column. */
type Members = ReadonlyMap<string, Buffer>

interface Placed {
  readonly column: string
  readonly place: string
  readonly name: string
}

/**
 * Makes records of events, as Debezium's EventRouter does: the topic, the key and the value are
 * columns of a row that was inserted, or members of a JSON object in a logical message. Deletes are
 * ignored, so that a table can be emptied.
 */
export class Outbox {
  readonly table: string | undefined
  readonly #options: OutboxOptions
  readonly #say: (line: string) => void
  readonly #placed: readonly Placed[]
  readonly #route: (value: string) => string

  constructor(options: OutboxOptions, say: (line: string) => void) {
    this.table = options.table
    this.#options = options
    this.#say = say
    this.#placed = placements(options['table.fields.additional.placement'])
    this.#route = routing(options)
  }

  /** `isText`: whether a column is of text, whose JSON is only its wrapping. */
  shape(isText: (column: string) => boolean): Shape {
    return (record) => {
      if (record.value === null) return undefined
      const { op, after } = readEnvelope(record.value)
      if (op === 'd' || op === 't') return undefined
      if (op === 'u') return this.#refuse(`an update of ${this.table}, ${String(record.key)}`)
      return this.#event(record, membersOf(Buffer.from(after!)), isText)
    }
  }

  /** Whether a logical message is meant for it. */
  takes({ prefix }: LogicalMessage): boolean {
    return prefix === this.#options['message.prefix']
  }

  /** The event of a logical message: a JSON object with the members that a row has as columns. */
  ofMessage(record: OpenRecord, { content, lsn }: LogicalMessage): OpenRecord | undefined {
    let members: Map<string, Buffer>
    try {
      JSON.parse(content.toString())
      members = membersOf(content)
    } catch (error) {
      return this.#refuse(`a message at ${lsn}: ${(error as Error).message}`)
    }
    const id = this.#options['table.field.event.id']
    if (!members.has(id)) members.set(id, Buffer.from(`"${lsn}"`))
    return this.#event(record, members, () => false)
  }

  #event(
    record: OpenRecord,
    members: Members,
    isText: (column: string) => boolean,
  ): OpenRecord | undefined {
    const options = this.#options
    const of = (name: string) => members.get(name)
    const routed = of(options['route.by.field'])
    const id = of(options['table.field.event.id'])
    if (routed === undefined || isNull(routed) || id === undefined) {
      const missing = id === undefined ? options['table.field.event.id'] : options['route.by.field']
      return this.#refuse(`an event without ${missing}`)
    }
    const column = options['table.field.event.payload']
    const payload = of(column)
    const key = of(options['table.field.event.key'])
    const stamp = options['table.field.event.timestamp']
    return {
      ...record,
      topic: this.#route(textOf(routed)),
      key: key === undefined || isNull(key) ? id : key,
      value: this.#value(members, payload, isText(column)),
      timestamp: (stamp && timeOf(of(stamp))) || record.timestamp,
      headers: { id: textOf(id), ...this.#headers(members), [rowHeader]: 'c' },
      schema: undefined,
    }
  }

  #value(members: Members, payload: Buffer | undefined, isText: boolean): Uint8Array | null {
    const options = this.#options
    const beside = this.#placed.filter(({ place }) => place === 'envelope')
    const isEmpty = payload === undefined || isNull(payload)
    if (isEmpty && options['route.tombstone.on.empty.payload']) return null
    const isJson = options['table.expand.json.payload'] || beside.length > 0
    const value = isEmpty ? jsonNull : isText ? unwrapText(payload, isJson) : payload
    if (beside.length === 0) return value
    const rest = beside.map(({ column, name }) => {
      return `,${JSON.stringify(name)}:${members.get(column) ?? 'null'}`
    })
    return Buffer.from(`{"payload":${value}${rest.join('')}}`)
  }

  #headers(members: Members): Record<string, string> {
    const placed = this.#placed.filter(({ place }) => place === 'header')
    return Object.fromEntries(
      placed.flatMap(({ column, name }) => {
        const value = members.get(column)
        return value === undefined || isNull(value) ? [] : [[name, textOf(value)]]
      }),
    )
  }

  #refuse(what: string): undefined {
    const line = `no event: ${what}`
    if (this.#options['table.op.invalid.behavior'] === 'fatal') {
      throw new MillraceError('OUTBOX_MISUSED', `The outbox holds ${line}.`)
    }
    this.#say(`${this.#options['table.op.invalid.behavior']}: ${line}`)
  }
}

const jsonNull = Buffer.from('null')

function isNull(json: Buffer): boolean {
  return json.equals(jsonNull)
}

function placements(text: string | undefined): Placed[] {
  return (text ?? '')
    .split(',')
    .filter((part) => part.trim() !== '')
    .map((part) => {
      const [column = '', place = '', name = column] = part.trim().split(':')
      return { column, place, name }
    })
}

/** Java's `${name}` is JavaScript's `$<name>`. */
function routing(options: OutboxOptions): (value: string) => string {
  const expression = new RegExp(`^(?:${options['route.topic.regex']})$`, 'u')
  const replacement = options['route.topic.replacement'].replaceAll(/\$\{(\w+)\}/g, '$<$1>')
  const topics = new Map<string, string>()
  return (value) => {
    let topic = topics.get(value)
    if (topic === undefined) {
      topic = sanitized(value.replace(expression, replacement))
      if (topics.size > 10_000) topics.clear()
      topics.set(value, topic)
    }
    return topic
  }
}

/** The members of a JSON object, unparsed. Throws SyntaxError if it is none. */
function membersOf(object: Buffer): Map<string, Buffer> {
  const members = new Map<string, Buffer>()
  let at = skipSpace(object, 0)
  if (object[at] !== 0x7b) throw new SyntaxError('it is no JSON object')
  at = skipSpace(object, at + 1)
  while (object[at] !== 0x7d) {
    const nameEnd = endOfValue(object, at)
    const name = JSON.parse(object.toString('utf8', at, nameEnd)) as string
    const start = skipSpace(object, skipSpace(object, nameEnd) + 1)
    const end = endOfValue(object, start)
    members.set(name, object.subarray(start, end))
    at = skipSpace(object, end)
    if (object[at] === 0x2c) at = skipSpace(object, at + 1)
  }
  return members
}

function textOf(json: Buffer): string {
  return json[0] === 0x22 ? (JSON.parse(json.toString()) as string) : json.toString()
}

/** Text as it is; or as the JSON that it holds, or else as a JSON string. */
function unwrapText(payload: Buffer, isJson: boolean): Buffer {
  if (payload[0] !== 0x22) return payload
  const text = textOf(payload)
  if (!isJson) return Buffer.from(text)
  try {
    JSON.parse(text)
    return Buffer.from(text)
  } catch {
    return payload
  }
}

/** Milliseconds: of ISO 8601, or of a number of milli-, micro- or nanoseconds, by its size. */
function timeOf(json: Buffer | undefined): number {
  if (json === undefined || isNull(json)) return 0
  if (json[0] === 0x22) return Date.parse(textOf(json)) || 0
  const number = Number(json.toString())
  return Math.floor(number > 1e17 ? number / 1e6 : number > 1e14 ? number / 1e3 : number) || 0
}
