import { Reader, Writer } from '@platformatic/kafka'
import { decodeTold, encodeTold, type Facts, type Roles } from './roles.ts'

/*
 * The consumer protocol's own messages, so that Kafka's tools can show who reads what:
 *
 *   subscription: version:i16=2 [topic] userData:bytes [topic [partition]] (owned) generation:i32
 *   assignment:   version:i16=0 [topic [partition]] userData:bytes
 *
 * with the user data of roles.ts.
 */

/** What a member tells of itself. */
export interface Subscription {
  readonly topics: readonly string[]
  /** The partition numbers that it reads now. */
  readonly owned: readonly number[]
  /** Of the assignment that it owns them by. */
  readonly generation: number
  readonly facts?: Facts | undefined
}

export interface Member extends Subscription {
  readonly id: string
}

type Numbers = readonly (readonly [topic: string, partitions: readonly number[]])[]

export function encodeSubscription({ topics, owned, generation, facts }: Subscription): Buffer {
  const writer = Writer.create()
    .appendInt16(2)
    .appendArray([...topics], (w, topic) => void w.appendString(topic, false), false, false)
    .appendBytes(encodeTold(facts), false)
  return appendNumbers(writer, numbersOf(topics, owned)).appendInt32(generation).buffer
}

export function decodeSubscription(bytes: Buffer): Subscription {
  const reader = Reader.from(bytes)
  const version = reader.readInt16()
  const topics = reader.readArray((r) => r.readString(false), false, false)
  const facts = decodeTold<Facts>(reader.readNullableBytes(false))
  const owned = version >= 1 ? partitionsIn(readNumbers(reader)) : []
  const generation = version >= 2 ? reader.readInt32() : -1
  return { topics, owned, generation, ...(facts && { facts }) }
}

/** What a member is told: what it shall read, and who else has what. */
export interface Assigned {
  readonly partitions: readonly number[]
  readonly roles?: Roles | undefined
}

export function encodeAssignment(
  topics: readonly string[],
  { partitions, roles }: Assigned,
): Buffer {
  const writer = appendNumbers(Writer.create().appendInt16(0), numbersOf(topics, partitions))
  return writer.appendBytes(encodeTold(roles), false).buffer
}

export function decodeAssignment(bytes: Buffer): Assigned {
  if (bytes.length === 0) return { partitions: [] }
  const reader = Reader.from(bytes)
  reader.readInt16()
  const partitions = partitionsIn(readNumbers(reader))
  const roles = decodeTold<Roles>(reader.readNullableBytes(false))
  return { partitions, ...(roles && { roles }) }
}

/**
 * Shares partition numbers among members, evenly, and so that each keeps what it has as far as
 * possible. What is to move from one member to another is given to nobody yet: its owner stops
 * reading it first and joins again, and the others go on undisturbed.
 */
export function assign(partitions: number, members: readonly Member[]): Map<string, number[]> {
  const owners = ownersOf(members)
  const wanted = balance(partitions, members, owners)
  const given = new Map<string, number[]>()
  for (const [id, numbers] of wanted) {
    given.set(
      id,
      numbers.filter((number) => (owners.get(number) ?? id) === id),
    )
  }
  return given
}

/** If two claim a partition, it belongs to the one with the newer assignment. */
export function ownersOf(members: readonly Member[]): ReadonlyMap<number, string> {
  const owners = new Map<number, string>()
  for (const { id, owned } of members.toSorted((a, b) => a.generation - b.generation)) {
    for (const number of owned) owners.set(number, id)
  }
  return owners
}

function balance(
  partitions: number,
  members: readonly Member[],
  owners: ReadonlyMap<number, string>,
): Map<string, number[]> {
  const wanted = new Map(members.map(({ id }) => [id, [] as number[]] as const))
  const least = Math.floor(partitions / members.length)
  let larger = partitions % members.length
  const free: number[] = []
  for (let number = 0; number < partitions; number++) {
    const mine = wanted.get(owners.get(number) ?? '')
    if (mine === undefined || mine.length > least || (mine.length === least && larger === 0)) {
      free.push(number)
      continue
    }
    if (mine.length === least) larger--
    mine.push(number)
  }
  for (const number of free) {
    const fewest = Math.min(...[...wanted.values()].map(({ length }) => length))
    const open = members.filter(({ id }) => wanted.get(id)!.length === fewest)
    // Who has a copy of the state has little to restore.
    const chosen = open.find(({ facts }) => facts?.copies.includes(number)) ?? open[0]
    if (chosen !== undefined) wanted.get(chosen.id)!.push(number)
  }
  return wanted
}

function numbersOf(topics: readonly string[], partitions: readonly number[]): Numbers {
  return partitions.length === 0 ? [] : topics.map((topic) => [topic, partitions] as const)
}

function partitionsIn(numbers: Numbers): readonly number[] {
  return [...new Set(numbers.flatMap(([, partitions]) => partitions))].sort((a, b) => a - b)
}

function appendNumbers(writer: Writer, numbers: Numbers): Writer {
  return writer.appendArray(
    [...numbers],
    (w, [topic, partitions]) => {
      w.appendString(topic, false)
      w.appendArray([...partitions], (each, number) => void each.appendInt32(number), false, false)
    },
    false,
    false,
  )
}

function readNumbers(reader: Reader): Numbers {
  return reader.readArray(
    (r) => [r.readString(false), r.readArray((each) => each.readInt32(), false, false)] as const,
    false,
    false,
  )
}
