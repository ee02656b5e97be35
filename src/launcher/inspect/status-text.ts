import { styleText } from 'node:util'
import type { PartStatus, Status } from './status.ts'

/** A status as a table for people. `color` is for terminals that want it. */
export function showStatus(status: Status, color = false): string {
  const { pipeline, pid, startedAt, log } = status
  const since = startedAt.replace('T', ' ').replace(/\..*/, ' UTC')
  const rows = status.parts.map(row)
  const reasons = status.parts.flatMap(({ name, reason }) =>
    reason === null ? [] : [`${name}: ${reason}`],
  )
  const letters = status.parts.flatMap(({ name, letters }) =>
    letters === 0 ? [] : [`${name}: ${showLetters(letters)}`],
  )
  const budgets = status.parts.flatMap(({ name, detail }) =>
    detail?.wal === undefined ? [] : [`${name}: ${detail.wal}`],
  )
  const streamed = status.parts.flatMap(({ name, detail }) => {
    const bytes = Number(detail?.['streamed.bytes'] ?? 0)
    return bytes === 0 ? [] : [`${name}: ${showBytes(bytes)} kept of transactions in progress`]
  })
  const notes = [
    ...reasons,
    ...letters,
    ...budgets,
    ...streamed,
    ...status.parts.flatMap(showSpread),
  ]
  return [
    `${pipeline}: process ${pid}, since ${since}`,
    `log ${log.path}: ${showCount(log.records)} records in ${log.topics} topics`,
    '',
    ...table([headings, ...rows]).map((line, i) =>
      color ? paint(line, status.parts[i - 1]) : line,
    ),
    ...(notes.length === 0 ? [] : ['', ...notes]),
  ].join('\n')
}

/** Who reads, and how far each partition is; where there is but one of each, the table says it. */
function showSpread({ name, partitions = [], members = [] }: PartStatus): readonly string[] {
  if (partitions.length < 2 && members.length < 2) return []
  const lags = partitions.map(({ topic, partition, next, behind }) => {
    return `${topic}/${partition} at ${next}, ${showCount(behind)} behind`
  })
  return [`${name}: read by ${members.join(', ')}: ${lags.join('; ')}`]
}

/** That refused records wait. */
export function showLetters(count: number): string {
  const what = count === 1 ? '1 dead letter waits' : `${showCount(count)} dead letters wait`
  return `${what}; \`millrace dlq ls\` lists them`
}

/** Who is behind, in one line: for progress where no table fits. */
export function showProgress({ parts }: Status): string {
  return parts
    .map(({ name, state, records, lag, dead }) => {
      const behind = lag.seconds === null ? '' : `, ${showSeconds(lag.seconds)} behind`
      const letters = dead === 0 ? '' : `, ${showCount(dead)} dead`
      const now = state === 'running' ? '' : `${state}, `
      return `${name}: ${now}${showCount(records)} records${behind}${letters}`
    })
    .join(' | ')
}

const headings = ['PART', 'STATE', 'RECORDS', 'APPLIED', 'STALE', 'DEAD', 'LAG', '', 'RETAINED WAL']

function row(part: PartStatus): readonly string[] {
  const { kind, name, state, phase, records, applied, stale, dead, lag, retainedBytes } = part
  return [
    kind === 'views' ? 'views' : `${kind} ${name}`,
    state === 'running' && phase === 'snapshot' ? 'snapshot' : state,
    showCount(records),
    kind === 'connector' ? '' : showCount(applied),
    kind === 'connector' ? '' : showCount(stale),
    kind === 'connector' ? '' : showCount(dead),
    lag.bytes === null ? '?' : showBytes(lag.bytes),
    lag.seconds === null ? '?' : showSeconds(lag.seconds),
    retainedBytes === undefined ? '' : retainedBytes === null ? '?' : showBytes(retainedBytes),
  ]
}

/** Names to the left, numbers to the right. */
function table(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = headings.map((_, i) => Math.max(...rows.map((cells) => cells[i]!.length)))
  return rows.map((cells) =>
    cells
      .map((cell, i) => (i < 2 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
      .join('  ')
      .trimEnd(),
  )
}

function paint(line: string, part: PartStatus | undefined): string {
  if (part === undefined) return styleText('dim', line)
  if (part.state === 'failed') return styleText('red', line)
  return part.state === 'retrying' || part.state === 'paused' ? styleText('yellow', line) : line
}

/** `1,234,567`. */
export function showCount(count: number): string {
  return count.toLocaleString('en-US')
}

/** `0 B`, `12 kB`, `1.5 GB`. */
export function showBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  let value = bytes
  let unit = 0
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000
    unit++
  }
  return `${value < 10 && unit > 0 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`
}

/** `0 s`, `1.2 s`, `5 min`, `3 h`. */
export function showSeconds(seconds: number): string {
  if (seconds >= 7200) return `${Math.round(seconds / 3600)} h`
  if (seconds >= 120) return `${Math.round(seconds / 60)} min`
  return `${seconds < 10 && seconds > 0 ? seconds.toFixed(1) : Math.round(seconds)} s`
}
