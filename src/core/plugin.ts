import type { ZodType } from 'zod'
import type { Reading } from './reading.ts'
import type { LogRecord, NewRecord } from './record.ts'
import type { Reindexing } from './reindexing.ts'
import type { Sink } from './sink.ts'
import type { Source } from './source.ts'

/**
 * What a folder under `connectors/` or `sinks/` exports: its name in the configuration, the shape
 * of its options, and how to make one.
 */
export interface Plugin<Options, Context, Part> {
  readonly type: string
  /** Strict object with a default and a description for every option; secrets carry `secret`. */
  readonly options: ZodType<Options>
  /** Looks for what would go wrong later: missing rights, settings, tables. Changes nothing. */
  check(options: Options, named?: Named): AsyncIterable<Finding>
  /** Connects lazily: an unreachable server is an error of `resume` or `read`, not of `open`. */
  open(options: Options, context: Context): Part
}

/** Names that a part may make names of its own from, such as that of a slot. */
export interface Named {
  readonly pipeline: string
  readonly name: string
}

export interface Finding {
  readonly level: 'ok' | 'warning' | 'error'
  readonly what: string
  readonly hint?: string
  /** What repairs it, a statement of SQL an entry. */
  readonly repair?: readonly string[]
}

export interface ConnectorContext {
  readonly pipeline: string
  readonly name: string
  /** Says something worth a line: progress of a snapshot, a slot made. */
  readonly say: (line: string) => void
  /** A place for files that nobody misses after a restart. It may not be there yet. */
  readonly directory?: string
}

export interface SinkContext {
  readonly pipeline: string
  readonly name: string
  readonly topic: string
  readonly partition: number
  /** Whether instances of this pipeline may run in several processes at the same time. */
  readonly shared?: boolean
  /** The columns of the topic's key are the target's id unless the options say otherwise. */
  readonly say: (line: string) => void
}

export interface ConnectorPlugin<Options> extends Plugin<Options, ConnectorContext, Connector> {
  /**
   * Of these topics, as far as it writes them, the columns of their rows as their origin is now.
   * Left out is what is no table of fixed columns.
   */
  columns?(
    options: Options,
    named: Named,
    topics: readonly string[],
  ): Promise<ReadonlyMap<string, readonly string[]>>
}

export interface SinkPlugin<Options> extends Plugin<Options, SinkContext, Sink<LogRecord>> {
  /**
   * What it writes of a topic that nothing else may write to, in words: `the file /a/b`. Two topics
   * that lead to the same are a fault of the configuration. `undefined`: others may write there.
   */
  owns?(options: Options, context: Pick<SinkContext, 'topic'>): string | undefined
  /** Reads back what the sink has written, for `verify` and `explain`. Connects lazily, too. */
  read?(options: Options, context: SinkContext): Reading
  /** Fills a new target beside the one that serves, for `reindex`. Connects lazily, too. */
  reindex?(options: Options, context: SinkContext): Reindexing
}

/** A source with what status shows of it. */
export interface Connector extends Source<NewRecord> {
  status(): ConnectorStatus
  /** While it is paused: keeps `status` true of what grows at the origin, until aborted. */
  watch?(signal: AbortSignal): Promise<void>
  /** The topics it writes, as far as the options tell. */
  readonly topics: readonly string[]
}

export interface ConnectorStatus {
  readonly phase: 'connecting' | 'snapshot' | 'streaming'
  /** Bytes of WAL between the server's end of WAL and what is acknowledged. */
  readonly retainedBytes: number | null
  readonly detail: Readonly<Record<string, string | number>>
}
