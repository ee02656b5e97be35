/** How much to run. */
export interface BenchOptions {
  /** Pairs of (reference, figure), interleaved. */
  readonly pairs: number
  /** Factor on the amount of data; 1 is what RESULTS.md shows. */
  readonly scale: number
}

/** The last line that a benchmark prints. */
export interface Report {
  readonly bench: string
  readonly figure: number
  readonly unit: string
  readonly reference: number
  /** Median of the pairs' figure / reference. */
  readonly ratio: number
  readonly cpuUsPerRecord: number
  readonly peakRssMb: number
  readonly p50Ms?: number
  readonly p99Ms?: number
  readonly [more: string]: number | string | undefined
}

export type Bench = (options: BenchOptions) => Promise<Report>
