import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { describeError } from '../../../src/core/errors.ts'
import { openEmbeddedLog } from '../../../src/log/embedded.ts'
import { CaseFault, type Difference, fault } from '../difference.ts'
import { isObject, printJson } from '../json.ts'
import type { ExpectedRecord, PostgresCase } from './case.ts'
import { connectorOptions } from './config.ts'
import type { CaseServer } from './database.ts'
import { type Delivery, isControl, isSnapshot } from './delivery.ts'
import { compareRecords, compareWhole, withoutUnexpectedControl } from './expectations.ts'
import { checkInvariants, isUnderstood } from './invariants.ts'
import { Play, type Stage } from './play.ts'
import { readLog } from './read-log.ts'
import { settle } from './settle.ts'
import { readSteps, refuseInstructions, type Step } from './steps.ts'
import { readStored } from './stored.ts'

/** Runs a case in a database of its own; what is found different is the failure. */
export async function runCase(
  one: PostgresCase,
  server: CaseServer,
  id: string,
): Promise<Difference[]> {
  const steps = readSteps(one.dml)
  one.ddl.forEach(refuseInstructions)
  const unknown = (one.expect.invariants ?? []).filter((sentence) => !isUnderstood(sentence))
  if (unknown.length > 0) {
    return unknown.map((sentence) => fault(`invariant '${sentence}'`, 'it is not understood'))
  }
  connectorOptions(one.config, { url: 'postgres://', slot: id })
  const url = await server.createDatabase(id)
  try {
    await prepare(url, one)
    const streamed = await perform({ ...one, id, steps }, { server, url })
    if (one.phase !== 'stream+snapshot') return streamed
    const snapshot = asSnapshot(one)
    const read = await perform({ ...snapshot, id: `${id}_snapshot`, steps: [] }, { server, url })
    return [
      ...streamed,
      ...read.map((difference) => ({ ...difference, path: `snapshot: ${difference.path}` })),
    ]
  } finally {
    await server.dropDatabase(id)
  }
}

async function prepare(url: string, { ddl, requires }: PostgresCase): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    for (const name of requires?.extensions ?? []) {
      await client.query(`CREATE EXTENSION IF NOT EXISTS ${pg.escapeIdentifier(name)} CASCADE`)
    }
    for (const statement of ddl) await client.query(statement)
  } finally {
    await client.end()
  }
}

/** The rows that are left, read by a snapshot after they were written. */
function asSnapshot(one: PostgresCase): PostgresCase {
  const { 'snapshot.mode': _, ...config } = one.config
  const rows = new Map<string, ExpectedRecord>()
  for (const [i, record] of one.expect.records.entries()) {
    const { op, topic, key, after, tombstone } = record
    const place = key === null || key === undefined ? String(i) : `${topic} ${printJson(key)}`
    if (after === null || after === undefined || tombstone) rows.delete(place)
    else if (op !== 'c' && op !== 'u') throw new CaseFault(`no snapshot has records of op ${op}`)
    else rows.set(place, { op: 'r', topic, key, before: null, after, ...origin(record) })
  }
  const { compare, sameAcross: _across, ...expect } = one.expect
  const records = [...rows.values()]
  return { ...one, phase: 'snapshot', config, expect: { ...expect, compare, records } }
}

/** What is true of a row's table however the row is read. */
function origin({ source }: ExpectedRecord): Pick<ExpectedRecord, 'source'> {
  if (!isObject(source)) return {}
  const lasting = ['db', 'schema', 'table', 'name', 'connector']
  const kept = Object.entries(source).filter(([name]) => lasting.includes(name))
  return { source: Object.fromEntries(kept) }
}

interface Performance extends PostgresCase {
  readonly id: string
  readonly steps: readonly Step[]
}

async function perform(
  one: Performance,
  { server, url }: Pick<Stage, 'server' | 'url'>,
): Promise<Difference[]> {
  const path = await mkdtemp(join(tmpdir(), 'millrace-case-'))
  const log = await openEmbeddedLog({ path })
  const options = connectorOptions(one.config, { url, slot: one.id })
  const play = new Play({ server, url, options, log })
  try {
    await play.start(one.steps)
    for (const step of one.steps) await play.perform(step)
    await settle(play, one.expect, (delivery) => isRelevant(one, delivery))
    return await judge(one, play)
  } finally {
    await play.close()
    await log.close()
    await rm(path, { recursive: true, force: true })
  }
}

/**
 * In a case about the stream that does not say otherwise, the initial snapshot is nobody's
 * business.
 */
function isRelevant({ phase, config, expect }: PostgresCase, delivery: Delivery): boolean {
  const isFree = phase === 'stream' && config['snapshot.mode'] === undefined && isSnapshot(delivery)
  if (isFree) return false
  return !isControl(delivery) || expect.records.some(({ topic }) => topic === delivery.topic)
}

async function judge(one: Performance, play: Play): Promise<Difference[]> {
  const { expect } = one
  const all = await readLog(play.stage.log)
  const relevant = all.filter((delivery) => isRelevant(one, delivery))
  const records = withoutUnexpectedControl(expect.records, relevant)
  const bound = new Map<string, unknown>()
  const stored = await readStored(expect.records, play)
  const differences = judgeErrors(one, play, all)
  // Where only invariants or counts are given, any records may come.
  const speaksOfRecords =
    expect.records.length > 0 ||
    (expect.invariants === undefined && expect.countsByTopic === undefined)
  if (speaksOfRecords) {
    const context = { root: { records }, bound, stored }
    differences.push(...compareRecords(expect.records, records, context))
  }
  differences.push(...compareWhole(expect, { all: relevant, records }))
  differences.push(...refuseSnapshot(one, all))
  const evidence = { play, all: relevant, dml: one.dml }
  differences.push(...(await checkInvariants(expect.invariants ?? [], evidence)))
  return differences
}

/** What was asked to do without an initial snapshot must not count the rows of one. */
function refuseSnapshot({ phase, config }: PostgresCase, all: readonly Delivery[]): Difference[] {
  const isForbidden =
    phase === 'stream' && ['no_data', 'never'].includes(String(config['snapshot.mode']))
  const count = isForbidden ? all.filter(isSnapshot).length : 0
  return count === 0 ? [] : [{ path: 'records of a snapshot', expected: 0, actual: count }]
}

function judgeErrors(one: Performance, play: Play, all: readonly Delivery[]): Difference[] {
  const { error: wantsError = false, serverError = false, invariants = [] } = one.expect
  const { error } = play.run
  const differences: Difference[] = []
  if (serverError && play.refusals.length === 0) {
    differences.push(fault('serverError', 'the server refused nothing'))
  }
  if (!serverError) {
    differences.push(...play.refusals.map(({ message }) => fault('dml', message)))
  }
  if (wantsError && error === undefined) {
    differences.push(fault('error', `the connector went on, with ${all.length} records`))
  }
  // Some invariants ask for an error, and judge it.
  const mayFail = wantsError || invariants.some((sentence) => /^gap is reported/.test(sentence))
  if (!mayFail && error !== undefined) differences.push(fault('connector', describeError(error)))
  return differences
}
