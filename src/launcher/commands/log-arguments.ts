import type { Command } from 'commander'
import type { Destination } from '../../log/inspection.ts'
import type { ExitCode } from '../exit.ts'
import type { BackupOptions } from './backup.ts'
import type { OffsetsOptions } from './offsets.ts'
import type { RegistryCommandOptions } from './registry.ts'
import { count, time } from './sink-arguments.ts'
import type { TopicsOptions } from './topics.ts'
import type { CopyOptions } from './topics-copy.ts'
import type { CreateOptions } from './topics-create.ts'

type End = (code: ExitCode) => void

/** The commands that look after the log. */
export function addLogCommands(program: Command, end: End): void {
  addPlan(program, end)
  addTopics(program, end)
  addOffsets(program, end)
  addViews(program, end)
  addBackup(program, end)
  addRegistry(program, end)
}

function addPlan(program: Command, end: End): void {
  program
    .command('plan')
    .description('Show what a start with a configuration would change. Touches nothing.')
    .argument('<file>', 'the configuration, in YAML')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Exit codes: 0 nothing changes; 2 something does; 1 the configuration is not valid.

Examples:
  $ millrace plan pipeline.yaml
  $ millrace plan pipeline.yaml --json | jq .changes`,
    )
    .action(async (file: string, options: { json?: boolean }) => {
      const { planCommand } = await import('./plan.ts')
      end(await planCommand(file, options))
    })
}

function addTopics(program: Command, end: End): void {
  const topics = program.command('topics').description('List, show, create and copy topics.')
  topics.addHelpText(
    'after',
    `
Examples:
  $ millrace topics ls pipeline.yaml
  $ millrace topics show shop.orders pipeline.yaml
  $ millrace topics create pipeline.yaml --dry-run
  $ millrace topics copy data/shop data/copy shop.orders
  $ millrace topics copy embedded.yaml kafka.yaml`,
  )
  located(topics.command('ls').description('List all topics, with their sizes.')).action(
    async (file: string | undefined, options: TopicsOptions) => {
      const { listTopics } = await import('./topics.ts')
      end(await listTopics({ ...options, file }))
    },
  )
  located(
    topics
      .command('show')
      .description('Show all that is known of a topic.')
      .argument('<topic>', 'its name'),
  ).action(async (topic: string, file: string | undefined, options: TopicsOptions) => {
    const { showOneTopic } = await import('./topics.ts')
    end(await showOneTopic(topic, { ...options, file }))
  })
  topics
    .command('create')
    .description('Make the topics that a configuration names, where they are on Kafka.')
    .argument('<file>', 'the configuration, in YAML')
    .option('--dry-run', 'only say what would be made')
    .option('--json', 'print JSON, one topic a line')
    .action(async (file: string, options: CreateOptions) => {
      const { createTopics } = await import('./topics-create.ts')
      end(await createTopics(file, options))
    })
  topics
    .command('copy')
    .description('Copy what topics hold into another log; a later copy adds what is new.')
    .argument('<from>', 'a configuration, or a data directory; it may be in use')
    .argument('<to>', 'another one; nothing may run on its data directory')
    .argument('[topics...]', 'which topics; all if none is named')
    .option('--json', 'print JSON, one topic a line')
    .action(async (from: string, to: string, names: string[], options: CopyOptions) => {
      const { copyTopicsCommand } = await import('./topics-copy.ts')
      end(await copyTopicsCommand(from, to, { ...options, topics: names }))
    })
}

function addOffsets(program: Command, end: End): void {
  const offsets = program.command('offsets').description('Show and change who has come how far.')
  offsets.addHelpText(
    'after',
    `
Examples:
  $ millrace offsets show pipeline.yaml
  $ millrace offsets rewind pipeline.yaml search --to-time 2025-01-02T03:04:05Z --dry-run
  $ millrace offsets rewind pipeline.yaml views --to-beginning`,
  )
  located(offsets.command('show').description('Show all readers and writers.')).action(
    async (file: string | undefined, options: OffsetsOptions) => {
      const { showOffsets } = await import('./offsets.ts')
      end(await showOffsets({ ...options, file }))
    },
  )
  offsets
    .command('rewind')
    .description('Have a running sink read from elsewhere, or have the views built anew.')
    .argument('<file>', 'the configuration, in YAML')
    .argument('<name>', 'a sink, or `views`')
    .option('--to-beginning', 'from the first record')
    .option('--to-end', 'leave out what it has not read')
    .option('--to-time <time>', 'from the first record that is as new as this', time)
    .option('--to-sequence <sequence>', 'from this sequence on; on the embedded log', count)
    .option('--to-offset <offset>', 'from this offset on', count)
    .option('--partition <partition>', 'with --to-offset: only in this partition', count)
    .option('--dry-run', 'only say what would happen')
    .action(async (file: string, name: string, options: RewindArguments) => {
      const to = placeIn(options)
      if (to === undefined) return offsets.error(`error: give one of ${places.join(', ')}`)
      const { rewindOffsets } = await import('./offsets.ts')
      end(await rewindOffsets(file, name, { to, dryRun: options.dryRun }))
    })
  offsets
    .command('set')
    .description('Set the position of a connector, while nothing runs.')
    .argument('<file>', 'the configuration, in YAML')
    .argument('<connector>', 'its name in the configuration')
    .argument('<position>', 'as `offsets show` prints it')
    .option('--dry-run', 'only say what would happen')
    .action(async (file: string, name: string, position: string, options: { dryRun?: boolean }) => {
      const { setOffset } = await import('./offsets.ts')
      end(await setOffset(file, name, { position, ...options }))
    })
}

function addViews(program: Command, end: End): void {
  const views = program.command('views').description('Look after the state of views.')
  views.addHelpText('after', '\nExamples:\n  $ millrace views reset pipeline.yaml orders')
  views
    .command('reset')
    .description('Have a view or a topology of streams made anew from the log at the next start.')
    .argument('<file>', 'the configuration, in YAML; nothing may run on its data directory')
    .argument('<name>', 'the view or topology; views are made anew together')
    .option('--json', 'print JSON')
    .action(async (file: string, name: string, options: { json?: boolean }) => {
      const { resetView } = await import('./views.ts')
      end(await resetView(file, name, options))
    })
}

const places = ['--to-beginning', '--to-end', '--to-time', '--to-sequence', '--to-offset']

interface RewindArguments {
  readonly toBeginning?: boolean
  readonly toEnd?: boolean
  readonly toTime?: number
  readonly toSequence?: number
  readonly toOffset?: number
  readonly partition?: number
  readonly dryRun?: boolean
}

/** The only place that is given. */
function placeIn(options: RewindArguments) {
  const { toBeginning, toEnd, toTime, toSequence, toOffset, partition } = options
  const given: Destination[] = [
    ...(toBeginning ? ['beginning' as const] : []),
    ...(toEnd ? ['end' as const] : []),
    ...(toTime === undefined ? [] : [{ time: toTime }]),
    ...(toSequence === undefined ? [] : [{ sequence: toSequence }]),
    ...(toOffset === undefined ? [] : [{ offset: toOffset, partition }]),
  ]
  return given.length === 1 ? given[0] : undefined
}

function addBackup(program: Command, end: End): void {
  located(
    program
      .command('backup')
      .description('Copy a data directory as of one moment, also while a pipeline runs on it.')
      .argument('<directory>', 'where to; it must be empty, or not be there'),
  ).action(async (to: string, file: string | undefined, options: BackupOptions) => {
    const { backupCommand } = await import('./backup.ts')
    end(await backupCommand(to, { ...options, file }))
  })
  located(
    program
      .command('restore')
      .description('Make a backup the data directory of a pipeline.')
      .argument('<directory>', 'the backup'),
  ).action(async (from: string, file: string | undefined, options: BackupOptions) => {
    const { restoreCommand } = await import('./backup.ts')
    end(await restoreCommand(from, { ...options, file }))
  })
}

function addRegistry(program: Command, end: End): void {
  program
    .command('registry')
    .description('Run a schema registry for this machine until SIGINT or SIGTERM.')
    .argument('[file]', 'the configuration: the schemas are kept in its data directory')
    .option('--data <directory>', 'the directory that keeps the schemas')
    .option('--port <port>', 'where to listen', count, 8081)
    .option('--host <host>', 'on which address; it knows no passwords', '127.0.0.1')
    .addHelpText('after', '\nExamples:\n  $ millrace registry pipeline.yaml --port 8081')
    .action(async (file: string | undefined, options: RegistryCommandOptions) => {
      const { registryCommand } = await import('./registry.ts')
      end(await registryCommand({ ...options, file }))
    })
}

function located(command: Command): Command {
  return command
    .argument('[file]', 'the configuration')
    .option('--data <directory>', 'the data directory, in place of the configuration')
    .option('--json', 'print JSON')
}
