import { existsSync, rmSync } from 'node:fs'
import { decodePosition, type PostgresPosition } from '../../connectors/postgres/position.ts'
import { openEmbeddedLog } from '../../src/log/embedded.ts'

/** The log that the program writes, looked at from outside after a kill. */
export interface TestedLog {
  /** Where a connector was. */
  position(connector: string): Promise<PostgresPosition | undefined>
  /** Makes a log of it that nobody has written to. */
  empty(): Promise<void>
  /** What should not be: that it does not open, or that a sink has refused records. */
  faults(): Promise<readonly string[]>
}

export function embeddedLog(path: string): TestedLog {
  return {
    async position(connector) {
      if (!existsSync(path)) return undefined
      const log = await openEmbeddedLog({ path })
      try {
        const position = await log.writer(`shop.${connector}`).resume('')
        return position === undefined ? undefined : decodePosition(position)
      } finally {
        await log.close()
      }
    },
    empty: async () => rmSync(path, { recursive: true, force: true }),
    faults: () => inspect(path),
  }
}

async function inspect(path: string): Promise<readonly string[]> {
  if (!existsSync(path)) return [`there is no log in ${path}`]
  try {
    const log = await openEmbeddedLog({ path })
    const { topics } = await log.describe()
    await log.close()
    const letters = topics.filter(({ topic }) => topic.endsWith('.dlq'))
    return lettersIn(
      letters.map(({ topic, partitions }) => [topic, partitions[0]?.end ?? 0n] as const),
    )
  } catch (error) {
    return [`the log does not open: ${(error as Error).message}`]
  }
}

/** Says which topics of dead letters hold any. */
export function lettersIn(counts: readonly (readonly [string, bigint])[]): readonly string[] {
  return counts
    .filter(([, count]) => count > 0n)
    .map(([topic, count]) => `${topic} holds ${count} dead letters`)
}
