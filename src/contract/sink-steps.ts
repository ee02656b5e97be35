import type { LogRecord } from '../core/record.ts'
import type { Sink } from '../core/sink.ts'
import type { Position } from '../core/source.ts'
import type { Check } from './check.ts'
import { batch } from './records.ts'
import type { TargetUnderTest } from './sink-contract.ts'

/** The name of the source that the contract pretends to read. */
export const source = 'orders'

/** An instance that has claimed the target, as the pump begins. */
export async function started(target: TargetUnderTest) {
  const sink = await target.open()
  const from = await sink.resume(source)
  return { sink, from }
}

let positions = 0

/** One turn of the pump. */
export async function apply(
  sink: Sink<LogRecord>,
  records: readonly LogRecord[],
  position?: string,
) {
  const outcomes = await sink.write(batch(records, position))
  const timestamp = records.at(-1)?.timestamp ?? 0
  const at = (position ?? `auto ${++positions}`) as Position
  await sink.commit({ source, position: at, timestamp })
  return outcomes
}

/** Compares without regard to white space, yet digit by digit. */
export async function same(
  t: Check,
  target: TargetUnderTest,
  expected: Readonly<Record<string, string>> | ReadonlyMap<string, string>,
): Promise<void> {
  const wanted = expected instanceof Map ? expected : new Map(Object.entries(expected))
  t.same(canonical(await target.stored()), canonical(wanted))
}

function canonical(documents: ReadonlyMap<string, string>): string[] {
  return [...documents].map(([id, text]) => `${JSON.stringify(id)} ${exact(text)}`).sort()
}

/** JSON in one spelling: members sorted, numbers as the digits they came in. */
function exact(text: string): string {
  const sorted = (_: string, value: unknown) =>
    value !== null && typeof value === 'object' && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value
  const digits = (_: string, value: unknown, context?: { source: string }) =>
    typeof value === 'number' ? `digits ${context?.source}` : value
  return JSON.stringify(JSON.parse(text, digits), sorted)
}
