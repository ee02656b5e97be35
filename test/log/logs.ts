import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import type { LogRecord, NewRecord } from '../../src/core/record.ts'
import type { Position } from '../../src/core/source.ts'
import { type EmbeddedLog, openEmbeddedLog } from '../../src/log/embedded.ts'
import { scanTopic } from '../../src/log/scan.ts'

/** Where there is a file system in memory: the disk is not what these tests are about. */
export const memory = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()

export interface Opened {
  readonly log: EmbeddedLog
  readonly path: string
  /** Closes the log and opens it again. */
  reopen(): Promise<EmbeddedLog>
  close(): Promise<void>
}

/** A log in a directory of its own. */
export async function openLog(parent = memory): Promise<Opened> {
  const path = mkdtempSync(join(parent, 'millrace-log-'))
  let log = await openEmbeddedLog({ path })
  return {
    log,
    path,
    reopen: async () => {
      await log.close()
      log = await openEmbeddedLog({ path })
      return log
    },
    close: async () => {
      await log.close()
      rmSync(path, { recursive: true })
    },
  }
}

/** The same for as long as a test runs. */
export async function openFor(t: Test): Promise<Opened> {
  const opened = await openLog()
  t.teardown(() => opened.close())
  return opened
}

/** Appends the records in one transaction. */
export async function append(log: EmbeddedLog, records: readonly NewRecord[], writer = 'w') {
  const sink = log.writer(writer)
  const position = 'p' as Position
  await sink.resume('s')
  await sink.write({ records, position, complete: true })
  await sink.commit({ source: 's', position, timestamp: 1 })
}

/** What a topic holds by now. */
export async function all(log: EmbeddedLog, topic: string): Promise<readonly LogRecord[]> {
  const records: LogRecord[] = []
  for await (const record of scanTopic(log, topic, { end: log.head })) records.push(record)
  return records
}
