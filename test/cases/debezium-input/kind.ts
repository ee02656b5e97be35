import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import { keyId } from '../../../src/core/document-id.ts'
import { type Child, cli, start } from '../../launcher/child.ts'
import { ForeignClient } from '../../log/kafka/foreign.ts'
import { startKafka } from '../../support/servers/kafka.ts'
import { compareExactly } from '../compare.ts'
import { type Difference, fault } from '../difference.ts'
import { isObject, parseJson, printJson } from '../json.ts'
import type { Kind, Outcome, RunnableCase } from '../kind.ts'
import { type History, historyOf } from './history.ts'

const topic = 'test_server.input'

const configuration = `name: input
log: {type: kafka, brokers: "BROKERS", path: data}
topics: {${topic}: {input: {}}}
sinks: {rows: {type: sqlite, from: ${topic}, path: rows.db, table: rows}}
`

/** Behind everything else: once its row is there, so are all others. */
const last = {
  key: '{"case":-1,"row":""}',
  value: '{"before":null,"after":{"last":true},"op":"c"}',
}

/**
 * The records that the cases of `postgres-source` expect of Debezium, written by another client to
 * a real Kafka, read as a topic of others, and kept as rows by a sink.
 */
export const debeziumInput: Kind = {
  name: 'debezium-input',
  async open(entries, only) {
    const histories = entries.map(historyOf)
    const folder = mkdtempSync(join(tmpdir(), 'millrace-debezium-input-'))
    const kafka = await startKafka()
    const child = await fill(folder, kafka.bootstrap, histories)
    const rows = new DatabaseSync(join(folder, 'rows.db'), { readOnly: true })
    const cases = entries.flatMap((entry, i): readonly RunnableCase[] => {
      const { name, group } = isObject(entry) ? entry : {}
      if (!String(name).includes(only)) return []
      const run = async () => outcome(histories[i]!, rows, i)
      return [{ name: String(name), group: String(group), run }]
    })
    return {
      ...{ atOnce: 1, cases },
      async [Symbol.asyncDispose]() {
        rows.close()
        child.kill('SIGTERM')
        await child.ended
        await kafka.stop()
        rmSync(folder, { recursive: true, force: true })
      },
    }
  },
}

async function fill(
  folder: string,
  bootstrap: string,
  histories: readonly (History | string)[],
): Promise<Child> {
  const foreign = new ForeignClient(bootstrap)
  await foreign.createTopic(topic)
  const records = histories.flatMap((each) => (typeof each === 'string' ? [] : each.records))
  await foreign.send(topic, [...records, last])
  writeFileSync(join(folder, 'pipeline.yaml'), configuration.replace('BROKERS', bootstrap))
  const child = start(cli, ['run', 'pipeline.yaml'], { cwd: folder })
  while (!isFilled(join(folder, 'rows.db'))) {
    if (/failed/.test(child.output())) throw new Error(child.output())
    await sleep(50)
  }
  return child
}

function isFilled(path: string): boolean {
  if (!existsSync(path)) return false
  const rows = new DatabaseSync(path, { readOnly: true, timeout: 5_000 })
  try {
    const isThere = rows.prepare('SELECT 1 FROM sqlite_schema WHERE name = ?').get('rows')
    return isThere !== undefined && rowsOf(rows).has(idOf(last.key))
  } finally {
    rows.close()
  }
}

function rowsOf(rows: DatabaseSync): ReadonlyMap<string, string> {
  const found = rows.prepare('SELECT id, doc FROM rows').all()
  return new Map(found.map(({ id, doc }) => [String(id), String(doc)]))
}

function idOf(key: string): string {
  return keyId(Buffer.from(key))
}

function outcome(history: History | string, rows: DatabaseSync, number: number): Outcome {
  if (typeof history === 'string') return { result: 'skipped', reason: history }
  const found = [...rowsOf(rows)].filter(([id]) => id.startsWith(`${number}/`))
  const stored = new Map(found)
  const context = { root: undefined, bound: new Map<string, unknown>() }
  const differences: Difference[] = []
  for (const [key, row] of history.rows) {
    const text = stored.get(idOf(key))
    if (text === undefined) differences.push(fault(key, 'there is no such row'))
    // Through text, as numbers of one size are one number there.
    else
      differences.push(...compareExactly(parseJson(printJson(row)), parseJson(text), key, context))
    stored.delete(idOf(key))
  }
  for (const [id, text] of stored) differences.push(fault(id, `is left over: ${text}`))
  return differences.length === 0 ? { result: 'passed' } : { result: 'failed', differences }
}
