import { documentKey, memberOf, memberPattern, stampPattern } from './keys.ts'
import { forgetMembersScript, forgetScript } from './scripts.ts'
import type { Servers } from './servers.ts'
import { generationText } from './stamp.ts'

export interface Forgotten {
  readonly prefixes: readonly string[]
  /** Only what carries this owner is ours. */
  readonly owner: string
  /** What was written in this generation stays. */
  readonly spare?: number
}

/** How long what is swept is remembered as deleted: longer than a request may be under way. */
const graveMs = 3_600_000

/** Removes what a sink has written below some prefixes. Returns how much that was. */
export async function forget(servers: Servers, what: Forgotten): Promise<number> {
  const { prefixes, owner, spare } = what
  const head = [owner, spare === undefined ? '' : generationText(spare), String(graveMs)]
  let removed = 0
  for (const prefix of prefixes) {
    for await (const stamps of servers.scan(stampPattern(prefix))) {
      for (const group of bySlot(stamps, servers)) {
        const keys = group.flatMap((stamp) => [documentKey(stamp), stamp])
        removed += Number(await servers.run(forgetScript, keys, head))
      }
    }
    for await (const stamps of servers.scan(memberPattern(prefix))) {
      for (const group of bySlot(stamps, servers)) {
        const pairs = group.map(memberOf)
        const keys = group.flatMap((stamp, i) => [pairs[i]![0], stamp])
        const args = [...head, ...pairs.map(([, member]) => member)]
        removed += Number(await servers.run(forgetMembersScript, keys, args))
      }
    }
  }
  return removed
}

function bySlot(keys: readonly string[], { slotOf }: Servers): Iterable<string[]> {
  return Map.groupBy(keys, slotOf).values()
}
