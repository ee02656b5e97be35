import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Test } from 'tap'
import type { LogRecord } from '../../src/core/record.ts'
import { loadConfig } from '../../src/launcher/config/config.ts'
import { showFault } from '../../src/launcher/config/fault.ts'
import { registry } from '../../src/launcher/config/registry.ts'
import { type PartStatus, statusOf } from '../../src/launcher/inspect/status.ts'
import { findFormerViews } from '../../src/launcher/run/former-views.ts'
import { openParts } from '../../src/launcher/run/parts.ts'
import { type Parts, run } from '../../src/launcher/run/pipeline.ts'
import { loadViews } from '../../src/launcher/run/views.ts'
import { type EmbeddedLog, openEmbeddedLog } from '../../src/log/embedded.ts'

/** When a test gives up waiting, to say what it was waiting for, unless it has more patience. */
const defaultPatienceMs = 25_000

export interface Starting {
  /** A folder with `pipeline.yaml`; data goes there too. */
  readonly folder: string
  readonly env: Readonly<Record<string, string>>
  /** Puts something of the test's own between two parts. */
  readonly change?: (parts: Parts) => Parts
}

/** A whole pipeline in this process, as `millrace run` would run it. */
export interface Running {
  readonly log: EmbeddedLog
  part(name: string): Promise<PartStatus>
  /** Waits until a part is in a state that the test wants, and gives its status. */
  until(name: string, isSo: (part: PartStatus) => boolean): Promise<PartStatus>
  stop(): Promise<void>
}

export async function begin(t: Test, { folder, env, change }: Starting): Promise<Running> {
  const loaded = loadConfig(join(folder, 'pipeline.yaml'), registry, env)
  if (!loaded.ok) throw new Error(loaded.faults.map(showFault).join('\n'))
  const { config, mask } = loaded
  const views = await loadViews(config)
  if (!views.ok) throw new Error(views.faults.map(showFault).join('\n'))
  const former = await findFormerViews(config, views.topology)
  const log = await openEmbeddedLog({ path: config.log.path })
  const opened = openParts(config, { log, ...views, former, say: () => {} })
  const parts = change?.(opened) ?? opened
  const stopping = new AbortController()
  const running = run(parts, stopping.signal)
  running.catch(() => {}) // Whoever waits for it gets it.
  const origin = { startedAt: new Date(), path: config.log.path, mask }
  const part = async (name: string) => {
    const status = await statusOf(parts, origin)
    return status.parts.find((part) => part.name === name)!
  }
  const stop = async () => {
    stopping.abort()
    await running.finally(() => log.close())
  }
  t.teardown(stop)
  return {
    ...{ log, part, stop },
    async until(name, isSo) {
      await until(
        async () => isSo(await Promise.race([part(name), running.then(() => part(name))])),
        async () => JSON.stringify(await part(name)),
      )
      return await part(name)
    },
  }
}

/** Waits until something is so; gives up with what is so instead. */
export async function until(
  isSo: () => boolean | Promise<boolean>,
  describe: () => unknown = () => '',
  patienceMs = defaultPatienceMs,
): Promise<void> {
  const deadline = performance.now() + patienceMs
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new Error(`it did not come about: ${await describe()}`)
    await sleep(25)
  }
}

/** Every record of a topic, once there are so many. */
export async function recordsOf(
  log: EmbeddedLog,
  topic: string,
  count: number,
): Promise<LogRecord[]> {
  const stop = new AbortController()
  const records: LogRecord[] = []
  for await (const batch of log.reader([topic], '').read(undefined, stop.signal)) {
    records.push(...batch.records)
    if (records.length >= count) break
  }
  return records
}

/** Replaces a text in the configuration, between two runs. */
export function reconfigure(folder: string, from: string, to: string): void {
  const file = join(folder, 'pipeline.yaml')
  writeFileSync(file, readFileSync(file, 'utf8').replace(from, to))
}
