import { MillraceError } from '../core/errors.ts'

/** A fixed length of time, `end` excluded. Tumbling windows advance by their size. */
export interface TimeWindows {
  readonly type: 'time'
  readonly sizeMs: number
  readonly advanceMs: number
  readonly graceMs: number
}

/** A window for every set of records no further apart than this; both ends are included. */
export interface SlidingWindows {
  readonly type: 'sliding'
  readonly differenceMs: number
  readonly graceMs: number
}

/** A window for every run of records without a gap longer than this; both ends are included. */
export interface SessionWindows {
  readonly type: 'session'
  readonly gapMs: number
  readonly graceMs: number
}

export type Windows = TimeWindows | SlidingWindows | SessionWindows

/** The key of a window's row. */
export type Windowed<K> = { readonly key: K; readonly start: number; readonly end: number }

interface Grace {
  /** How long after its end a window takes late records. */
  readonly graceMs?: number
}

export function tumbling({ sizeMs, graceMs = 0 }: Grace & { readonly sizeMs: number }) {
  return hopping({ sizeMs, advanceMs: sizeMs, graceMs })
}

export function hopping({
  sizeMs,
  advanceMs,
  graceMs = 0,
}: Grace & { readonly sizeMs: number; readonly advanceMs: number }): TimeWindows {
  check('sizeMs', sizeMs, 1)
  check('advanceMs', advanceMs, 1, sizeMs)
  check('graceMs', graceMs, 0)
  return { type: 'time', sizeMs, advanceMs, graceMs }
}

export function sliding({
  differenceMs,
  graceMs = 0,
}: Grace & { readonly differenceMs: number }): SlidingWindows {
  check('differenceMs', differenceMs, 0)
  check('graceMs', graceMs, 0)
  return { type: 'sliding', differenceMs, graceMs }
}

export function session({
  gapMs,
  graceMs = 0,
}: Grace & { readonly gapMs: number }): SessionWindows {
  check('gapMs', gapMs, 0)
  check('graceMs', graceMs, 0)
  return { type: 'session', gapMs, graceMs }
}

/** The starts of the windows that hold a time, in ascending order; none before 1970. */
export function windowStarts(time: number, { sizeMs, advanceMs }: TimeWindows): readonly number[] {
  const starts: number[] = []
  const first = Math.floor(Math.max(0, time - sizeMs + advanceMs) / advanceMs) * advanceMs
  for (let start = first; start <= time; start += advanceMs) starts.push(start)
  return starts
}

/** How long after its end, as its rows' keys say it, a window can still change. */
export function openAfterEndMs(windows: Windows): number {
  return windows.type === 'session' ? windows.gapMs + windows.graceMs : windows.graceMs
}

function check(name: string, value: number, least: number, most = Number.MAX_SAFE_INTEGER): void {
  if (Number.isSafeInteger(value) && value >= least && value <= most) return
  const range = most === Number.MAX_SAFE_INTEGER ? `at least ${least}` : `from ${least} to ${most}`
  const message = `A window's ${name} is a whole number of milliseconds, ${range}: not ${value}.`
  throw new MillraceError('CONFIG_INVALID', message)
}
