import { startKafka } from './kafka.ts'
import { MissingServer } from './missing.ts'
import { startPostgres } from './postgres.ts'
import { startRedis } from './redis.ts'
import { startElasticsearch, startOpensearch } from './search.ts'

export type ServerName = 'postgres' | 'redis' | 'elasticsearch' | 'opensearch' | 'kafka'

interface Stoppable {
  readonly url: string
  stop(): Promise<void>
}

const starts: Readonly<Record<ServerName, () => Promise<Stoppable>>> = {
  // One server for all test files: room for the slots that they hold at the same time.
  postgres: () =>
    startPostgres({ settings: { max_replication_slots: '60', max_wal_senders: '60' } }),
  redis: () => startRedis(),
  elasticsearch: () => startElasticsearch(),
  opensearch: () => startOpensearch(),
  kafka: async () => {
    const { bootstrap, stop } = await startKafka()
    return { url: bootstrap, stop }
  },
}

/** The servers of one test run, for all of its files. */
export interface SharedServers {
  /** Variables for the test files, from which `use.ts` learns of them. */
  readonly env: Readonly<Record<string, string>>
  stop(): Promise<void>
}

export const urlVariable = (name: ServerName) => `MILLRACE_TEST_${name.toUpperCase()}_URL`
export const missingVariable = (name: ServerName) => `MILLRACE_TEST_${name.toUpperCase()}_MISSING`

/** Starts them side by side. One that cannot be had is passed on as a sentence that says why. */
export async function startShared(
  names: readonly ServerName[] = ['postgres', 'redis', 'elasticsearch', 'opensearch', 'kafka'],
): Promise<SharedServers> {
  const env: Record<string, string> = {}
  const running: Stoppable[] = []
  const start = async (name: ServerName) => {
    if (process.env[urlVariable(name)]) return // Somebody's own server, given on the command line.
    try {
      const server = await starts[name]()
      running.push(server)
      env[urlVariable(name)] = server.url
    } catch (error) {
      if (!(error instanceof MissingServer)) throw error
      env[missingVariable(name)] = error.message
    }
  }
  const stop = async () => void (await Promise.all(running.map((server) => server.stop())))
  const outcomes = await Promise.allSettled(names.map(start))
  const failed = outcomes.find((outcome) => outcome.status === 'rejected')
  if (failed === undefined) return { env, stop }
  await stop()
  throw failed.reason
}
