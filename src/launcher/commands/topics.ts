import { loadConfig } from '../config/config.ts'
import { didYouMean } from '../config/nearest.ts'
import { type Registry, registry } from '../config/registry.ts'
import type { Named } from '../control/data-directory.ts'
import { CommandFailure, type ExitCode, exitCodes } from '../exit.ts'
import { inspectLog } from '../inspect/inspect-log.ts'
import { showTopic, showTopics, type TopicReport, topicReports } from '../inspect/topic-report.ts'
import { policyOfConfig } from '../run/cleaning.ts'
import { loadViews } from '../run/views.ts'
import { openTerminal } from '../terminal.ts'

export interface TopicsOptions extends Named {
  readonly json?: boolean | undefined
  readonly registry?: Registry
}

/** `millrace topics ls`: what the log holds. */
export async function listTopics(options: TopicsOptions): Promise<ExitCode> {
  const reports = await readReports(options)
  const terminal = openTerminal()
  if (!options.json) await terminal.print(showTopics(reports))
  else for (const each of reports) await terminal.print(JSON.stringify(each))
  return exitCodes.ok
}

/** `millrace topics show TOPIC`: all that is known of one. */
export async function showOneTopic(topic: string, options: TopicsOptions): Promise<ExitCode> {
  const found = await readReport(topic, options)
  await openTerminal().print(options.json ? JSON.stringify(found) : showTopic(found))
  return exitCodes.ok
}

async function readReports(options: TopicsOptions): Promise<readonly TopicReport[]> {
  const log = await inspectLog(options, options.registry)
  try {
    return await topicReports(log, await log.names(), await policyIn(options))
  } finally {
    await log.close()
  }
}

/** Of any topic, also one of others on the same cluster. */
async function readReport(topic: string, options: TopicsOptions): Promise<TopicReport> {
  const log = await inspectLog(options, options.registry)
  try {
    const [found] = await topicReports(log, [topic], await policyIn(options))
    if (found !== undefined) return found
    const hint = didYouMean(topic, await log.names())
    throw new CommandFailure(`there is no topic ${topic}${hint}`)
  } finally {
    await log.close()
  }
}

/** Only a configuration that can be read says what topics keep. */
async function policyIn({ file, registry: known = registry }: TopicsOptions) {
  const loaded = file === undefined ? undefined : loadConfig(file, known, process.env)
  const views = loaded?.ok ? await loadViews(loaded.config) : undefined
  return loaded?.ok && views?.ok ? policyOfConfig(loaded.config, views.topology) : undefined
}
