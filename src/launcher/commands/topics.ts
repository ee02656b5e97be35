import { loadConfig } from '../config/config.ts'
import { didYouMean } from '../config/nearest.ts'
import { type Registry, registry } from '../config/registry.ts'
import { findDataDirectory, type Named, openReadOnly } from '../control/data-directory.ts'
import { CommandFailure, type ExitCode, exitCodes } from '../exit.ts'
import { copyTopics } from '../inspect/copy-topics.ts'
import { showCount } from '../inspect/status-text.ts'
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
  const reports = await readReports(options)
  const found = reports.find((each) => each.topic === topic)
  if (found === undefined) {
    const names = reports.map((each) => each.topic)
    throw new CommandFailure(`there is no topic ${topic}${didYouMean(topic, names)}`)
  }
  await openTerminal().print(options.json ? JSON.stringify(found) : showTopic(found))
  return exitCodes.ok
}

export interface CopyOptions {
  readonly json?: boolean | undefined
}

/** `millrace topics copy FROM TO [TOPIC…]`: from one data directory into another. */
export async function copyTopicsCommand(
  from: string,
  to: string,
  { topics, json }: CopyOptions & { readonly topics: readonly string[] },
): Promise<ExitCode> {
  const terminal = openTerminal()
  for await (const { topic, records } of copyTopics(from, to, topics)) {
    const line = `${topic}: ${showCount(records)} records copied`
    await terminal.print(json ? JSON.stringify({ topic, records }) : line)
  }
  return exitCodes.ok
}

async function readReports(options: TopicsOptions): Promise<readonly TopicReport[]> {
  const directory = findDataDirectory(options, process.env)
  const policyOf = await policyIn(options)
  const log = openReadOnly(directory)
  try {
    return topicReports(log, policyOf)
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
