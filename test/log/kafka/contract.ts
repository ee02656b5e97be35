import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { logContract } from '../../contract/log.ts'
import { isolated } from './isolated.ts'
import { type GivenOptions, openLogIn } from './open.ts'

/** What every log promises, on the brokers that are given. */
export function kafkaContract(name: string, bootstrap: string, options: GivenOptions = {}): void {
  logContract(name, async () => {
    const prefix = `t${randomBytes(4).toString('hex')}`
    const path = mkdtempSync(join(tmpdir(), 'millrace-kafka-log-'))
    let log = openLogIn(path, bootstrap, 'contract', options)
    return {
      log: isolated(log, prefix),
      reopen: async () => {
        await log.close()
        log = openLogIn(path, bootstrap, 'contract', options)
        return isolated(log, prefix)
      },
      close: async () => {
        await log.close()
        rmSync(path, { recursive: true, force: true })
      },
    }
  })
}
