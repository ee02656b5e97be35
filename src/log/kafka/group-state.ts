import { deleteGroupsV2, describeGroupsV5, listGroupsV4, offsetFetchV8 } from '@platformatic/kafka'
import type { Cluster } from './cluster.ts'
import { faultOf, isFault } from './fault.ts'

/** Who is in a consumer group by now. */
export interface GroupMember {
  readonly member: string
  readonly client: string
  readonly host: string
}

/** What a group has committed, by topic and partition. */
export type Committed = ReadonlyMap<string, ReadonlyMap<number, bigint>>

/** Offsets whose transaction is still open do not count yet. */
export async function committedOf(cluster: Cluster, group: string): Promise<Committed> {
  const asked = { groupId: group, memberId: null, memberEpoch: -1, topics: null }
  const what = `Ask for the offsets of group ${group}`
  const address = await cluster.coordinator('group', group)
  const answer = await cluster.call(address, what, offsetFetchV8.api, [asked], false)
  const found = answer.groups[0]
  if (found !== undefined && found.errorCode !== 0) throw faultOf(found.errorCode, what)
  const topics = new Map<string, ReadonlyMap<number, bigint>>()
  for (const { name, partitions } of found?.topics ?? []) {
    const committed = partitions.filter(({ committedOffset }) => committedOffset >= 0n)
    topics.set(name, new Map(committed.map((each) => [each.partitionIndex, each.committedOffset])))
  }
  return topics
}

export async function membersOf(cluster: Cluster, group: string): Promise<readonly GroupMember[]> {
  const what = `Ask who is in group ${group}`
  const address = await cluster.coordinator('group', group)
  const { groups } = await cluster.call(address, what, describeGroupsV5.api, [group], false)
  return (groups[0]?.members ?? []).map(({ memberId, clientId, clientHost }) => {
    return { member: memberId, client: clientId, host: clientHost.replace(/^\//, '') }
  })
}

/** The groups whose names begin so, of all brokers. */
export async function groupsOf(cluster: Cluster, head: string): Promise<readonly string[]> {
  const what = 'Ask for consumer groups'
  const names = new Set<string>()
  for (const address of (await cluster.nodes()).values()) {
    const { groups } = await cluster.call(address, what, listGroupsV4.api, [], [])
    for (const { groupId } of groups) if (groupId.startsWith(head)) names.add(groupId)
  }
  return [...names].sort()
}

/** Removes a group that is empty. */
export async function forgetGroup(cluster: Cluster, group: string): Promise<void> {
  const address = await cluster.coordinator('group', group)
  try {
    await cluster.call(address, `Remove the group ${group}`, deleteGroupsV2.api, [group])
  } catch (error) {
    // It was never joined, or its member is just leaving: it expires by itself.
    if (!isFault(error, 'GROUP_ID_NOT_FOUND', 'NON_EMPTY_GROUP')) throw error
  }
}
