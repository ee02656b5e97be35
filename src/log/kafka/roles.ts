/*
 * What members of a group tell each other beside who reads what, as JSON in the user data of the
 * consumer protocol's messages:
 *
 *   a member says   {"url":"http://…","copies":[0,3]}
 *   all are told    [{"owner":{"id":"…","url":"http://…"},"standbys":[…]}]   for each partition
 */

/** What a member says of itself. */
export interface Facts {
  /** Where it answers questions, if it does. */
  readonly url?: string | undefined
  /** The partition numbers of whose state it has a copy. */
  readonly copies: readonly number[]
}

export interface Instance {
  readonly id: string
  readonly url?: string | undefined
}

/** Who has the state of a task on one partition. */
export interface Role {
  readonly owner: Instance | null
  readonly standbys: readonly Instance[]
}

export type Roles = readonly Role[]

export interface Candidate {
  readonly id: string
  readonly facts?: Facts | undefined
}

export interface Casting {
  /** For each partition number, the id of the member that owns it. */
  readonly owners: ReadonlyMap<number, string>
  readonly members: readonly Candidate[]
  readonly partitions: number
  /** How many beside the owner keep a copy of its state. */
  readonly standbys: number
}

/** Copies stay where they are; new ones go to who has the fewest. */
export function castRoles({ owners, members, partitions, standbys }: Casting): Roles {
  const counts = new Map(members.map(({ id }) => [id, 0]))
  const byId = new Map(members.map((member) => [member.id, member]))
  return Array.from({ length: partitions }, (_, number) => {
    const owner = byId.get(owners.get(number) ?? '')
    const weigh = (member: Candidate) => {
      const isKept = member.facts?.copies.includes(number) ?? false
      return (counts.get(member.id) ?? 0) - (isKept ? partitions : 0)
    }
    const others = members.filter((member) => member !== owner)
    const chosen = others.sort((a, b) => weigh(a) - weigh(b)).slice(0, standbys)
    for (const { id } of chosen) counts.set(id, counts.get(id)! + 1)
    return { owner: owner === undefined ? null : instance(owner), standbys: chosen.map(instance) }
  })
}

function instance({ id, facts }: Candidate): Instance {
  return { id, url: facts?.url }
}

export function encodeTold(told: Facts | Roles | undefined): Buffer | null {
  return told === undefined ? null : Buffer.from(JSON.stringify(told))
}

/** `undefined` if it is nothing of ours. */
export function decodeTold<T extends Facts | Roles>(bytes: Buffer | null): T | undefined {
  if (bytes === null || bytes.length === 0) return undefined
  try {
    return JSON.parse(bytes.toString()) as T
  } catch {
    return undefined
  }
}
