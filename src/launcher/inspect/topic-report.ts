import type { PolicyOf, TopicPolicy } from '../../core/topic-policy.ts'
import { storedGroups } from '../../log/groups.ts'
import type { Lane } from '../../log/lanes.ts'
import { decodePosition } from '../../log/position.ts'
import type { ReadOnlyLog } from '../../log/read-only.ts'
import { showBytes, showCount, showSeconds } from './status-text.ts'

/** What `millrace topics` tells of a topic. */
export interface TopicReport {
  readonly topic: string
  readonly cleanup: string
  /** Offset of the first record that is left, and of the next that will come. */
  readonly start: number
  readonly end: number
  /** About how many bytes its blocks have. */
  readonly bytes: number
  /** Time of the newest record, in ISO 8601; null if there is none. */
  readonly newest: string | null
  /** Whoever has not come to this sequence has missed something that was removed. */
  readonly floor: number
  /** Below this sequence there is one record for each key. */
  readonly compactedTo: number
  readonly writers: readonly string[]
  readonly groups: readonly GroupReport[]
}

/** What `millrace offsets` tells of a reader. */
export interface GroupReport {
  readonly group: string
  readonly topics: readonly string[]
  readonly sequence: number
  /** Commits, of any topic, between the reader and the newest one. */
  readonly behind: number
  readonly seenAt: string
}

export function topicReports(log: ReadOnlyLog, policyOf: PolicyOf | undefined): TopicReport[] {
  const groups = groupReports(log)
  return [...log.lanes.all]
    .map((lane) => report(lane, groups, policyOf?.(lane.topic)))
    .sort((a, b) => (a.topic < b.topic ? -1 : 1))
}

export function groupReports({ environment, head }: ReadOnlyLog): GroupReport[] {
  return [...storedGroups(environment)].map(([group, { topics, position, seenAt }]) => {
    const sequence = decodePosition(position)?.sequence ?? 0
    const behind = Math.max(0, head - Math.max(1, sequence))
    return { group, topics, sequence, behind, seenAt: new Date(seenAt).toISOString() }
  })
}

function report(
  { topic, start, nextOffset, bytes, timestamp, floor, clean, writers }: Lane,
  groups: readonly GroupReport[],
  policy: TopicPolicy | undefined,
): TopicReport {
  return {
    topic,
    cleanup: policy === undefined ? '' : showPolicy(policy),
    start,
    end: nextOffset,
    bytes,
    newest: timestamp === 0 ? null : new Date(timestamp).toISOString(),
    floor,
    compactedTo: clean,
    writers: [...writers],
    groups: groups.filter(({ topics }) => topics.length === 0 || topics.includes(topic)),
  }
}

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
    showBytes(bytes),
    newest ?? '-',
    cleanup,
  ])
  return columns([['TOPIC', 'OFFSETS', 'SIZE', 'NEWEST', 'CLEANUP'], ...rows])
}

export function showTopic(report: TopicReport): string {
  const { topic, start, end, bytes, newest, cleanup, floor, compactedTo, writers, groups } = report
  return [
    topic,
    `  offsets    ${start} … ${end}`,
    `  size       ${showBytes(bytes)}`,
    `  newest     ${newest ?? '-'}`,
    ...(cleanup === '' ? [] : [`  cleanup    ${cleanup}`]),
    ...(compactedTo === 0 ? [] : [`  compacted  to sequence ${compactedTo}`]),
    ...(floor === 0 ? [] : [`  removed    something below sequence ${floor}`]),
    `  written by ${writers.join(', ')}`,
    ...groups.map(
      ({ group, behind }) => `  read by    ${group}, ${showCount(behind)} commits behind`,
    ),
  ].join('\n')
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
