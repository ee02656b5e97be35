import type { Difference } from './difference.ts'

/** What became of one case. */
export type Outcome =
  | { readonly result: 'passed' }
  | { readonly result: 'failed'; readonly differences: readonly Difference[] }
  | { readonly result: 'skipped'; readonly reason: string }

/** One case of a file, ready to run. */
export interface RunnableCase {
  readonly name: string
  readonly group: string
  run(): Promise<Outcome>
}

/** The cases of one file, on what they share. */
export interface Suite extends AsyncDisposable {
  readonly cases: readonly RunnableCase[]
  /** So many run side by side. */
  readonly atOnce: number
}

/** A shape of case files, and how to run what stands in them. */
export interface Kind {
  readonly name: string
  /** `entries` is the parsed file; only those whose name contains `only` shall run. */
  open(entries: readonly unknown[], only: string): Promise<Suite>
}
