import { startPostgres } from '../../support/servers/postgres.ts'
import { fault } from '../difference.ts'
import type { Kind, Outcome, RunnableCase } from '../kind.ts'
import { skips } from '../skips.ts'
import { type ReadCase, readCase } from './case.ts'
import { CaseServer } from './database.ts'
import { missingAbility, type ServerAbilities } from './requirements.ts'
import { runCase } from './run-case.ts'

/** What a user would wait for is what these shorten; whether data survives is asked elsewhere. */
const settings = {
  fsync: 'off',
  wal_writer_delay: '10ms',
  shared_buffers: '64MB',
  max_replication_slots: '40',
  max_wal_senders: '40',
}
/** A longer list of what differs says nothing more. */
const differencesShown = 8

/** Inputs and records of a Postgres connector, run on a real server. */
export const postgresSource: Kind = {
  name: 'postgres-source',
  async open(entries, only) {
    const read = entries.map(readCase)
    const chosen = read.filter(({ name }) => name.includes(only))
    const postgres = await startPostgres({ settings })
    const server = new CaseServer(postgres.url)
    await server.prepare()
    const abilities = await server.abilities()
    return {
      atOnce: 4,
      cases: chosen.map((one, i) => runnable(one, { server, abilities, id: `case_${i + 1}` })),
      async [Symbol.asyncDispose]() {
        await server.close()
        await postgres.stop()
      },
    }
  },
}

interface Surroundings {
  readonly server: CaseServer
  readonly abilities: ServerAbilities
  readonly id: string
}

function runnable(one: ReadCase, surroundings: Surroundings): RunnableCase {
  return { name: one.name, group: one.group, run: () => run(one, surroundings) }
}

async function run(one: ReadCase, { server, abilities, id }: Surroundings): Promise<Outcome> {
  if ('faults' in one) {
    return { result: 'failed', differences: one.faults.map((text) => fault('case', text)) }
  }
  const reason = missingAbility(one.parsed.requires, abilities) ?? skips.get(one.name)
  if (reason !== undefined) return { result: 'skipped', reason }
  const differences = await runCase(one.parsed, server, id)
  if (differences.length === 0) return { result: 'passed' }
  return { result: 'failed', differences: differences.slice(0, differencesShown) }
}
