/** How much to run. */
export interface BenchOptions {
  /** Pairs of (reference, figure), interleaved. Default: what the benchmark needs, mostly five. */
  readonly pairs?: number | undefined
  /** Factor on the amount of data; 1 is what RESULTS.md shows. */
  readonly scale: number
  /** Where the topics are, in the benchmarks of streams. Default: the embedded log. */
  readonly log?: 'embedded' | 'kafka'
  /** Whether a last run, of which no figure is taken, shows where the CPU goes. */
  readonly profile?: boolean
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
