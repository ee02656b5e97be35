import type { PartStatus, Status } from './status.ts'

type Figure = readonly [
  name: string,
  type: 'counter' | 'gauge',
  help: string,
  of: (part: PartStatus) => number | null,
]

const figures: readonly Figure[] = [
  ['up', 'gauge', '1 while the part runs.', ({ state }) => (state === 'running' ? 1 : 0)],
  ['records_total', 'counter', 'Records read.', ({ records }) => records],
  ['applied_total', 'counter', 'Records written.', ({ applied }) => applied],
  ['stale_total', 'counter', 'Records older than what the target holds.', ({ stale }) => stale],
  ['dead_total', 'counter', 'Records refused.', ({ dead }) => dead],
  ['retries_total', 'counter', 'Starts after a failure.', ({ retries }) => retries],
  ['letters', 'gauge', 'Dead letters that wait.', ({ letters }) => letters],
  ['lag_records', 'gauge', 'Records not yet read.', ({ lag }) => lag.records],
  ['lag_bytes', 'gauge', 'Bytes not yet read.', ({ lag }) => lag.bytes],
  [
    'lag_seconds',
    'gauge',
    'Age of the newest record read, if newer ones wait.',
    ({ lag }) => lag.seconds,
  ],
  ['retained_bytes', 'gauge', 'WAL that the server keeps.', (part) => part.retainedBytes ?? null],
]

/** The status in Prometheus' text format. */
export function showMetrics({ pipeline, parts }: Status): string {
  return figures
    .map(([name, type, help, of]) => {
      const lines = parts.flatMap((part) => {
        const value = of(part)
        if (value === null) return []
        const labels = { pipeline, kind: part.kind, part: part.name }
        const told = Object.entries(labels).map(
          ([label, text]) => `${label}=${JSON.stringify(text)}`,
        )
        return [`millrace_${name}{${told.join()}} ${value}`]
      })
      const head = [`# HELP millrace_${name} ${help}`, `# TYPE millrace_${name} ${type}`]
      return lines.length === 0 ? '' : `${[...head, ...lines].join('\n')}\n`
    })
    .join('')
}
