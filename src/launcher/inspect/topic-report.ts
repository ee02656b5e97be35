import type { PolicyOf, TopicPolicy } from '../../core/topic-policy.ts'
import type { GroupFacts, Inspection, PartitionFacts, TopicFacts } from '../../log/inspection.ts'
import { showBytes, showCount, showSeconds } from './status-text.ts'

/** What `millrace topics` tells of a topic. */
export interface TopicReport {
  readonly topic: string
  readonly cleanup: string
  /** Offset of the first record that is left, and of the next that will come; sums of those. */
  readonly start: number
  readonly end: number
  /** The same, of each partition. */
  readonly partitions: TopicFacts['partitions']
  /** About how many bytes are stored; null if that may not be known. */
  readonly bytes: number | null
  /** Time of the newest record, in ISO 8601; null if there is none. */
  readonly newest: string | null
  /** Whoever has not come to this sequence has missed something that was removed. */
  readonly floor: number
  /** Below this sequence there is one record for each key. */
  readonly compactedTo: number
  readonly writers: readonly string[]
  readonly groups: readonly GroupReport[]
  /** On Kafka: how many brokers keep it, and its settings. */
  readonly replication?: number
  readonly settings?: Readonly<Record<string, string>>
}

/** What `millrace offsets` tells of a reader. */
export interface GroupReport {
  readonly group: string
  readonly topics: readonly string[]
  /** On Kafka, the sum of its offsets. */
  readonly sequence: number
  /** Commits, of any topic, between the reader and the newest one; on Kafka, offsets. */
  readonly behind: number
  /** Null if that is not known. */
  readonly seenAt: string | null
  readonly partitions?: readonly PartitionFacts[]
  /** Processes that read for it by now. */
  readonly members?: readonly string[]
}

/** What is known of topics. The policy of a topic is its own, or what the configuration says. */
export async function topicReports(
  log: Inspection,
  names: readonly string[],
  policyOf: PolicyOf | undefined,
): Promise<readonly TopicReport[]> {
  const groups = (await log.groups()).map(groupReport)
  const facts = await log.topics(names)
  return facts.map((each) => report(each, groups, each.policy ?? policyOf?.(each.topic)))
}

export function groupReport({ seenAt, ...rest }: GroupFacts): GroupReport {
  return { ...rest, seenAt: seenAt === null ? null : new Date(seenAt).toISOString() }
}

function report(
  { newest, policy: _, partitions, settings, ...facts }: TopicFacts,
  groups: readonly GroupReport[],
  policy: TopicPolicy | undefined,
): TopicReport {
  const { topic } = facts
  return {
    ...facts,
    partitions,
    ...(settings && { settings: told(settings) }),
    cleanup: policy === undefined ? '' : showPolicy(policy),
    start: partitions.reduce((sum, { start }) => sum + start, 0),
    end: partitions.reduce((sum, { end }) => sum + end, 0),
    newest: newest === 0 ? null : new Date(newest).toISOString(),
    groups: groups.filter(({ topics }) => topics.length === 0 || topics.includes(topic)),
  }
}

/** The settings that matter to readers and writers. */
function told(settings: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(settings).filter(([name]) => toldSettings.has(name)))
}

const toldSettings = new Set([
  'cleanup.policy',
  'compression.type',
  'delete.retention.ms',
  'max.message.bytes',
  'message.timestamp.type',
  'min.compaction.lag.ms',
  'min.insync.replicas',
  'retention.bytes',
  'retention.ms',
])

/** `compact`, `delete after 7 d`, `compact, delete above 1.0 GB`, `keep`. */
export function showPolicy({ compacts, retentionMs, retentionBytes }: TopicPolicy): string {
  const limits = [
    ...(retentionMs < Number.POSITIVE_INFINITY ? [`after ${showAge(retentionMs)}`] : []),
    ...(retentionBytes < Number.POSITIVE_INFINITY ? [`above ${showBytes(retentionBytes)}`] : []),
  ]
  const parts = [
    ...(compacts ? ['compact'] : []),
    ...(limits.length > 0 ? [`delete ${limits.join(' or ')}`] : []),
  ]
  return parts.length === 0 ? 'keep' : parts.join(', ')
}

function showAge(ms: number): string {
  const days = ms / 86_400_000
  return days >= 2 ? `${Math.round(days)} d` : showSeconds(ms / 1000)
}

/** One line for each topic. */
export function showTopics(reports: readonly TopicReport[]): string {
  const rows = reports.map(({ topic, start, end, bytes, newest, cleanup }) => [
    topic,
    showCount(end - start),
    bytes === null ? '-' : showBytes(bytes),
    newest ?? '-',
    cleanup,
  ])
  return columns([['TOPIC', 'OFFSETS', 'SIZE', 'NEWEST', 'CLEANUP'], ...rows])
}

export function showTopic(report: TopicReport): string {
  const { topic, bytes, newest, cleanup, floor, compactedTo, writers, groups } = report
  return [
    topic,
    ...showOffsets(report),
    `  size       ${bytes === null ? '-' : showBytes(bytes)}`,
    `  newest     ${newest ?? '-'}`,
    ...(cleanup === '' ? [] : [`  cleanup    ${cleanup}`]),
    ...(compactedTo === 0 ? [] : [`  compacted  to sequence ${compactedTo}`]),
    ...(floor === 0 ? [] : [`  removed    something below sequence ${floor}`]),
    ...Object.entries(report.settings ?? {}).map(
      ([name, value]) => `  setting    ${name}=${value}`,
    ),
    ...(writers.length === 0 ? [] : [`  written by ${writers.join(', ')}`]),
    ...groups.map((group) => `  read by    ${showReader(group)}`),
  ].join('\n')
}

function showOffsets({ partitions, replication }: TopicReport): readonly string[] {
  const spans = partitions.map(({ start, end }) => `${start} … ${end}`)
  if (replication === undefined) return spans.map((span) => `  offsets    ${span}`)
  const kept = `  kept by    ${replication} ${replication === 1 ? 'broker' : 'brokers'}`
  return [...spans.map((span, partition) => `  offsets    ${partition}: ${span}`), kept]
}

function showReader({ group, behind, members }: GroupReport): string {
  if (members === undefined) return `${group}, ${showCount(behind)} commits behind`
  const who = members.length === 0 ? 'nobody by now' : members.join(', ')
  return `${group}, ${showCount(behind)} offsets behind: ${who}`
}

/** Cells under each other, two spaces apart. */
export function columns(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map((cells) => cells[i]!.length)))
  return rows
    .map((cells) =>
      cells
        .map((cell, i) => cell.padEnd(widths[i]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}
