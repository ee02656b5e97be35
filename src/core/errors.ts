/**
 * Every error a user can meet, by code. The kind says who acts:
 * - `config`: the user edits the configuration; the program exits with 2 before anything starts.
 * - `transient`: nobody; the part backs off and starts again from its checkpoint.
 * - `paused`: an operator mends something outside; the part probes and goes on by itself.
 * - `fatal`: an operator decides; this part stops, because going on would make data wrong.
 *
 * A refusal is not here: a record that the target refuses is a value (`sink.ts`).
 */
export const errors = {
  CONFIG_INVALID: {
    kind: 'config',
    hint: 'Mend what is listed; `millrace validate` lists it again.',
  },
  CONNECTION_LOST: { kind: 'transient', hint: 'Retried until the server answers again.' },
  TARGET_BUSY: { kind: 'transient', hint: 'Retried more slowly until the target keeps up.' },
  TARGET_CHANGED: {
    kind: 'transient',
    hint: 'The target was flushed, replaced or rolled back; it is filled again from the log.',
  },
  SLOT_IN_USE: {
    kind: 'transient',
    hint: 'Another process reads the slot; stop it if it should not. Then this one takes over.',
  },
  FENCED: {
    kind: 'fatal',
    hint: 'Another instance has taken over this sink. Stop one of the two.',
  },
  ACCESS_DENIED: {
    kind: 'paused',
    hint: 'Correct the user, password or key, or grant the missing right; it goes on by itself.',
  },
  TARGET_BLOCKED: {
    kind: 'paused',
    hint: 'Remove the block at the target (space, read-only, memory); it goes on by itself.',
  },
  TARGET_MISCONFIGURED: {
    kind: 'paused',
    hint: 'Correct the target as the message says; it goes on by itself.',
  },
  SPILL_FAILED: {
    kind: 'paused',
    hint: 'Make room in the data directory, or make it writable; it goes on by itself.',
  },
  SERVER_ERROR: {
    kind: 'paused',
    hint: 'Mend what the server names; it goes on by itself.',
  },
  WAL_LEVEL: {
    kind: 'fatal',
    hint: "Run `ALTER SYSTEM SET wal_level = 'logical'` and restart the server.",
  },
  SLOT_LOST: {
    kind: 'fatal',
    hint: 'The slot is gone, and with it changes that were never read. `snapshot.mode: when_needed` takes a new snapshot.',
  },
  POSITION_GAP: {
    kind: 'fatal',
    hint: 'There are changes that were never read. `snapshot.mode: when_needed` takes a new snapshot.',
  },
  SERVER_ROLLED_BACK: {
    kind: 'fatal',
    hint: 'The server has less history than was already read: it was restored from a backup. Take a new snapshot.',
  },
  OTHER_DATABASE: {
    kind: 'fatal',
    hint: 'The connector points at another server than before. Correct the URL, name an upgraded server with `slot.adopt.system`, or give the connector a new name.',
  },
  TABLE_MISSING: { kind: 'fatal', hint: 'Create the table, or take it out of the configuration.' },
  TOPIC_COLLISION: {
    kind: 'fatal',
    hint: 'Rename one of the tables, or read it with a connector of its own prefix.',
  },
  OUTBOX_MISUSED: {
    kind: 'fatal',
    hint: 'Write events by INSERT only, with all columns that the outbox needs; or set `table.op.invalid.behavior` to warn, and restart.',
  },
  NO_KEY: {
    kind: 'fatal',
    hint: 'Give the table a primary key, or name the key with `message.key.columns`; then remove the data directory, as what was read without a key stays without.',
  },
  VIEW_FAILED: {
    kind: 'fatal',
    hint: 'Correct the code of the view, then restart; nothing is lost meanwhile.',
  },
  LOG_IN_USE: {
    kind: 'fatal',
    hint: 'Another process runs on this data directory. Stop it, or choose another directory.',
  },
  COLUMN_MISSING: {
    kind: 'paused',
    hint: 'Correct the name in the configuration and restart, or add the column; the views go on by themselves.',
  },
  WRITER_FENCED: {
    kind: 'transient',
    hint: 'Another instance writes under the same name by now; this one tries again, as a standby.',
  },
  RECORD_TOO_LARGE: {
    kind: 'fatal',
    hint: 'Raise `max.message.bytes` of the topic (and `replica.fetch.max.bytes` of the brokers), then restart.',
  },
  TOPIC_LAYOUT: {
    kind: 'fatal',
    hint: 'Give the topics that are read together the same number of partitions: `log.partitions`, or `partitions` of a pattern under `topics`.',
  },
  TASKS_APART: {
    kind: 'fatal',
    hint: 'Change the definition of the topology, or its name, so that all of its tasks begin anew.',
  },
  SCHEMA_INCOMPATIBLE: {
    kind: 'fatal',
    hint: 'Change the table back, or the compatibility of the subject in the schema registry, and start again: nothing is lost.',
  },
  VALUE_UNFIT: {
    kind: 'fatal',
    hint: 'Choose another `format` for the topic, or give the column a type that fits, and start again: nothing is lost.',
  },
  LOG_GAP: {
    kind: 'fatal',
    hint: 'Records were removed that this part had not read. `millrace sink refill` fills a sink anew, `millrace offsets rewind` makes views begin anew.',
  },
  LOG_UNWRITABLE: {
    kind: 'fatal',
    hint: 'Make room on the disk of the data directory, or mend it, and start again: nothing is lost.',
  },
  LOG_CORRUPT: {
    kind: 'fatal',
    hint: 'Restore the data directory from a backup, or remove it to take a new snapshot.',
  },
  LOG_FORMAT: {
    kind: 'fatal',
    hint: 'The data directory was written by another version of millrace. Use that version.',
  },
} as const satisfies Record<string, { kind: ErrorKind; hint: string }>

export type ErrorKind = 'config' | 'transient' | 'paused' | 'fatal'
export type ErrorCode = keyof typeof errors

/** An error with a code from the table. The message holds the facts, the hint says what to do. */
export class MillraceError extends Error {
  override readonly name = 'MillraceError'
  readonly code: ErrorCode

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }

  get kind(): ErrorKind {
    return errors[this.code].kind
  }

  get hint(): string {
    return errors[this.code].hint
  }
}

/** Anything that has no code is a bug, and a bug is not worth retrying. */
export function kindOf(error: unknown): ErrorKind | 'bug' {
  return error instanceof MillraceError ? error.kind : 'bug'
}

/** One line for people: code, facts and what to do. */
export function describeError(error: unknown): string {
  if (error instanceof MillraceError) return `${error.code}: ${error.message} ${error.hint}`
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}
