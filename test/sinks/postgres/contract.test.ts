import t from 'tap'
import { postgresSink } from '../../../sinks/postgres/index.ts'
import { canonicalJson } from '../../../src/core/canonical-json.ts'
import type { LogRecord } from '../../../src/core/record.ts'
import type { Sink } from '../../../src/core/sink.ts'
import { readingContract } from '../../contract/reading.ts'
import { sinkContract } from '../../contract/sink.ts'
import { usePostgres } from '../../support/servers/use.ts'
import { context, optionsOf } from './target.ts'

const { url, query } = await usePostgres(t)
let schemas = 0

async function freshSchema(): Promise<string> {
  const schema = `s${++schemas}`
  await query(`CREATE SCHEMA ${schema}`)
  return schema
}

sinkContract('postgres', { versioned: true, keepsDeletes: true, transactional: true }, async () => {
  const schema = await freshSchema()
  const sinks: Sink<LogRecord>[] = []
  return {
    open() {
      const sink = postgresSink.open(optionsOf(url, { schema }), context)
      sinks.push(sink)
      return sink
    },
    async stored() {
      const rows = await query<{ _id: string; doc: string }>(
        `SELECT _id, _doc::text AS doc FROM ${schema}.orders`,
      )
      return new Map(rows.map(({ _id, doc }) => [_id, canonicalJson(doc)]))
    },
    async wipe() {
      await query(`DROP SCHEMA ${schema} CASCADE; CREATE SCHEMA ${schema}`)
    },
    close: async () => void (await Promise.all(sinks.map((sink) => sink.close()))),
  }
})

readingContract('postgres, read back,', async (t) => {
  const options = optionsOf(url, { schema: await freshSchema(), id: 'order:{id}' })
  const sink = postgresSink.open(options, context)
  const reading = postgresSink.read!(options, context)
  t.teardown(async () => {
    await sink.close()
    await reading.close()
  })
  return { sink, reading }
})
