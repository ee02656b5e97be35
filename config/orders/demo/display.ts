import type { LogRecord } from '../../../src/core/record.ts'
import type { PartStatus, Status } from '../../../src/launcher/inspect/status.ts'

/** The last change and the document it became, for people. */
export interface Latest {
  change: LogRecord | undefined
  document: LogRecord | undefined
}

const refreshMs = 500
const plainMs = 2_000

/** Shows what happens as it happens: on a terminal in place, elsewhere a line now and then. */
export class Display {
  readonly #isTerminal = process.stdout.isTTY === true
  readonly #began = Date.now()
  readonly #timer: NodeJS.Timeout
  #before = new Map<string, number>()
  #shownAt = Date.now()
  #lines = 0

  constructor(latest: Latest, changes: () => number, status: () => Promise<Status>) {
    const everyMs = this.#isTerminal ? refreshMs : plainMs
    this.#timer = setInterval(async () => this.#show(latest, changes(), await status()), everyMs)
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  #show(latest: Latest, changes: number, status: Status): void {
    const seconds = (Date.now() - this.#shownAt) / 1000
    this.#shownAt = Date.now()
    const rows = status.parts.map((part) => this.#row(part, seconds))
    this.#before = new Map(status.parts.map(({ name, records }) => [name, records]))
    if (!this.#isTerminal) {
      const short = rows.map(([name, , rate, lag]) => `${name} ${rate}, lag ${lag}`)
      console.log(`${changes} transactions · ${short.join(' · ')}`)
      return
    }
    const elapsed = Math.round((Date.now() - this.#began) / 1000)
    this.#redraw([
      `${bold('millrace demo')}  ${changes} transactions in ${elapsed} s   (Ctrl-C ends it)`,
      '',
      ...table([['part', 'records', 'rate', 'lag', 'state'], ...rows]),
      '',
      ...describeChange(latest),
    ])
  }

  #row(part: PartStatus, seconds: number): string[] {
    const rate = Math.round((part.records - (this.#before.get(part.name) ?? 0)) / seconds)
    const lag = part.lag.seconds === null ? '–' : `${part.lag.seconds.toFixed(1)} s`
    const state = part.phase === undefined ? part.state : `${part.state}, ${part.phase}`
    return [part.name, String(part.records), `${rate}/s`, lag, part.reason ?? state]
  }

  /** Writes over what it wrote before. */
  #redraw(lines: readonly string[]): void {
    const width = process.stdout.columns ?? 100
    const cut = lines.map((line) => (line.length > width ? `${line.slice(0, width - 1)}…` : line))
    const up = this.#lines > 0 ? `\x1b[${this.#lines}A` : ''
    process.stdout.write(`${up}${cut.map((line) => `\x1b[2K${line}\n`).join('')}\x1b[J`)
    this.#lines = cut.length
  }
}

function describeChange({ change, document }: Latest): string[] {
  const { before, after, op, source } = parse(change)
  const became = parse(document)
  return [
    bold(`last change: ${source?.schema ?? ''}.${source?.table ?? ''} ${operation(op)}`),
    `  before   ${JSON.stringify(before ?? null)}`,
    `  after    ${JSON.stringify(after ?? null)}`,
    `  became   ${JSON.stringify(became.after ?? null)}`,
  ]
}

interface Envelope {
  readonly op?: string
  readonly before?: unknown
  readonly after?: unknown
  readonly source?: { readonly schema: string; readonly table: string }
}

/** Only to be looked at: digits beyond a double's may get lost here. */
function parse(record: LogRecord | undefined): Envelope {
  return record?.value ? JSON.parse(Buffer.from(record.value).toString()) : {}
}

function operation(op: string | undefined): string {
  const words: Readonly<Record<string, string>> = { c: 'created', u: 'updated', d: 'deleted' }
  return words[op ?? ''] ?? (op === 'r' ? 'read in the snapshot' : '')
}

function table(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map((row) => row[i]!.length)))
  return rows.map((row) => row.map((cell, i) => cell.padEnd(widths[i]! + 2)).join(''))
}

function bold(text: string): string {
  return process.env.NO_COLOR ? text : `\x1b[1m${text}\x1b[0m`
}
