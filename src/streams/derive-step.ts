import { createHash } from 'node:crypto'
import { MillraceError } from '../core/errors.ts'
import type { UserCode } from './flow/user-code.ts'
import type { Step } from './step.ts'

export interface Derivation {
  /** The operator's name. */
  readonly kind: string
  readonly others?: readonly Step[]
  /** What the user said about it. */
  readonly told?: readonly unknown[]
  readonly open?: Step['open']
  readonly flow: NonNullable<Step['flow']>
  readonly store?: string | undefined
  readonly output?: string | undefined
}

/** A step below another. State is kept under its name, so it says how the step came about. */
export function deriveStep(
  from: Step,
  { kind, others = [], told = [], open, flow, store, output }: Derivation,
): Step {
  const name = `${from.name}.${kind}(${others.map((other) => other.name).join()})`
  const text = told.map(textOf).join('\0')
  const step: Step = {
    name,
    parents: [from, ...others],
    definition: createHash('sha256').update(text).digest('hex'),
    open: open ?? (() => refuse(name, 'it works record by record')),
    ...{ flow, store, output },
    listed: from.listed,
  }
  from.listed?.push(step)
  return step
}

function textOf(told: unknown): string {
  return typeof told === 'function' ? String(told as UserCode) : (JSON.stringify(told) ?? '')
}

function refuse(name: string, why: string): never {
  throw new MillraceError('CONFIG_INVALID', `The step ${name} cannot stand here: ${why}.`)
}
