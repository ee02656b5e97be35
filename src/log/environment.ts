import { randomBytes } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { type Database, open, type RootDatabase } from 'lmdb'
import { MillraceError } from '../core/errors.ts'
import { readSafe, writeSafe } from './block.ts'
import { checkLogFile, orCorrupt } from './log-file.ts'
import type { Start } from './position.ts'

/*
 * One LMDB environment holds everything that must become durable together:
 *
 *   blocks     lane:u32 sequence:u64 offset:u64 → a block of records (block.ts); the key is the
 *              place of one of its records, the first until compaction joins blocks
 *   meta       names → JSON: `format`, `starts`, `head`, `lane/<id>`, `kept/<id>`,
 *              `schema/<id>`, `task/<name>`, `exchanged/<name>`
 *   positions  writer's name → JSON {position, timestamp}
 *   open       writer's name → JSON {sequence, version}: a commit of which only a part is written
 *   groups     group → JSON {position, topics, seenAt}: a reader, for status and retention
 *   state      task:u32 key → value
 *   letters    what a dead letter was refused by and from → JSON: its state (letter.ts)
 *
 * A lane is one partition of one topic. Sequences and offsets stay below 2^53.
 */
export interface Environment {
  readonly root: RootDatabase<Buffer, Buffer>
  readonly blocks: Database<Buffer, Buffer>
  readonly meta: Database<Buffer, string>
  readonly positions: Database<Buffer, string>
  readonly open: Database<Buffer, string>
  readonly groups: Database<Buffer, string>
  readonly state: Database<Buffer, Buffer>
  readonly letters: Database<Buffer, string>
}

const formatVersion = 1

/** The one file of a log, in its directory. */
export const logFile = 'log.mdb'

export function openEnvironment(directory: string, readOnly = false): Environment {
  mkdirSync(directory, { recursive: true })
  const path = join(directory, logFile)
  checkLogFile(path, readOnly)
  return orCorrupt(`the head of ${path}`, () => openFile(path, readOnly))
}

function openFile(path: string, readOnly: boolean): Environment {
  const root = open<Buffer, Buffer>({
    path,
    noSubdir: true,
    maxDbs: 16,
    maxReaders: 126,
    encoding: 'binary',
    keyEncoding: 'binary',
    readOnly,
    // By default lmdb-js shows a commit to readers before its sync ends; durable comes first.
    overlappingSync: false,
  })
  const bytes = { encoding: 'binary', keyEncoding: 'binary' } as const
  const text = { encoding: 'binary' } as const
  const environment = {
    root,
    blocks: root.openDB<Buffer, Buffer>('blocks', bytes),
    meta: root.openDB<Buffer, string>('meta', text),
    positions: root.openDB<Buffer, string>('positions', text),
    open: root.openDB<Buffer, string>('open', text),
    groups: root.openDB<Buffer, string>('groups', text),
    state: root.openDB<Buffer, Buffer>('state', bytes),
    letters: root.openDB<Buffer, string>('letters', text),
  }
  checkFormat(environment.meta, path, readOnly)
  return environment
}

function checkFormat(meta: Database<Buffer, string>, path: string, readOnly: boolean): void {
  const found = getJson<number>(meta, 'format')
  if (found === undefined && !readOnly) meta.putSync('format', json(formatVersion))
  else if (found !== undefined && found !== formatVersion) {
    const message = `${path} has format ${found}; this millrace reads format ${formatVersion}.`
    throw new MillraceError('LOG_FORMAT', message)
  }
}

/** Adds this start to the history; starts that wrote nothing are forgotten. */
export function recordStart({ meta }: Environment, head: number): readonly Start[] {
  const before = getJson<Start[]>(meta, 'starts') ?? []
  const history = before.filter(({ from }, i) => (before[i + 1]?.from ?? head) > from)
  history.push({ id: randomBytes(8).toString('hex'), from: head })
  meta.putSync('starts', json(history))
  return history
}

/** What the log fills of its file, in bytes; the rest of the file is room to be used again. */
export function usedBytes({ root: _, ...databases }: Environment): number {
  return Object.values(databases).reduce((sum, database) => {
    const { pageSize, treeBranchPageCount, treeLeafPageCount, overflowPages } =
      database.getStats() as Pages
    return sum + pageSize * (treeBranchPageCount + treeLeafPageCount + overflowPages)
  }, 0)
}

interface Pages {
  readonly pageSize: number
  readonly treeBranchPageCount: number
  readonly treeLeafPageCount: number
  readonly overflowPages: number
}

export function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value))
}

export function getJson<T>(database: Database<Buffer, string>, key: string): T | undefined {
  const value = database.get(key)
  return value === undefined ? undefined : (JSON.parse(value.toString()) as T)
}

export interface BlockKey {
  readonly lane: number
  readonly sequence: number
  readonly offset: number
}

export function blockKey({ lane, sequence, offset }: BlockKey): Buffer {
  const key = Buffer.allocUnsafe(20)
  key.writeUInt32BE(lane, 0)
  writeSafe(key, sequence, 4)
  writeSafe(key, offset, 12)
  return key
}

export function readBlockKey(key: Buffer): BlockKey {
  return { lane: key.readUInt32BE(0), sequence: readSafe(key, 4), offset: readSafe(key, 12) }
}
