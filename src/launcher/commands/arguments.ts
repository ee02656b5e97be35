import { Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import { describeError } from '../../core/errors.ts'
import { version } from '../../core/version.ts'
import { CommandFailure, type ExitCode, exitCodes } from '../exit.ts'
import { addConnectorCommands } from './connector-arguments.ts'
import { addLogCommands } from './log-arguments.ts'
import { addSinkCommands } from './sink-arguments.ts'
import type { SnapshotOptions } from './snapshot.ts'
import type { StatusOptions } from './status.ts'
import type { TapCommandOptions } from './tap.ts'

/**
 * Runs the command that the arguments name, and says how it ended. Each command is loaded when it
 * is wanted: help and status need not wait for every connector and sink there is.
 */
export async function runArguments(args: readonly string[]): Promise<ExitCode> {
  let code: ExitCode = exitCodes.ok
  const program = describeCommands((ended) => {
    code = ended
  })
  try {
    await program.parseAsync(args, { from: 'user' })
    return code
  } catch (error) {
    if (error instanceof CommanderError)
      return error.exitCode === 0 ? exitCodes.ok : exitCodes.invalid
    const text = error instanceof CommandFailure ? error.message : describeError(error)
    process.stderr.write(`${text}\n`)
    return exitCodes.failed
  }
}

function describeCommands(end: (code: ExitCode) => void): Command {
  const program = new Command('millrace')
    .description(
      'Carries changes of databases through topics and views into search indexes and caches.',
    )
    .exitOverride()
    .showSuggestionAfterError()
    .helpCommand(false)
    .version(version, '-V, --version', 'Print the version.')
    .helpOption('-h, --help', 'Show help.')
    .addHelpText('after', examples('millrace run pipeline.yaml', 'millrace status pipeline.yaml'))
  addRun(program, end)
  addValidate(program, end)
  addDoctor(program, end)
  addStatus(program, end)
  addTap(program, end)
  addConnectorCommands(program, end)
  addSinkCommands(program, end)
  addLogCommands(program, end)
  addSnapshot(program, end)
  program
    .command('version')
    .description('Print the version.')
    .action(() => {
      process.stdout.write(`${version}\n`)
    })
  return program
}

type End = (code: ExitCode) => void

function addRun(program: Command, end: End): void {
  program
    .command('run')
    .description('Run a pipeline until SIGINT or SIGTERM.')
    .argument('<file>', 'the configuration, in YAML')
    .option(
      '--drain <seconds>',
      'how long to finish what is under way, once asked to stop',
      count,
      30,
    )
    .addHelpText(
      'after',
      `
Exit codes: 0 stopped, with everything under way finished; 1 failed; 2 the configuration is
not valid; 130 and 143 stopped at once, by a second signal or because --drain was over.
${examples('millrace run pipeline.yaml', 'DATABASE_URL=postgres://… millrace run pipeline.yaml')}`,
    )
    .action(async (file: string, { drain }: { drain: number }) => {
      const { runCommand } = await import('./run.ts')
      end(await runCommand(file, { drainMs: drain * 1000 }))
    })
}

function addValidate(program: Command, end: End): void {
  program
    .command('validate')
    .description('List everything wrong with a configuration. Connects to nothing.')
    .argument('<file>', 'the configuration, in YAML')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      examples('millrace validate pipeline.yaml', 'millrace validate pipeline.yaml --json'),
    )
    .action(async (file: string, options: { json?: boolean }) => {
      const { validateCommand } = await import('./validate.ts')
      end(await validateCommand(file, options))
    })
}

function addDoctor(program: Command, end: End): void {
  program
    .command('doctor')
    .description('Ask every server of a configuration what would go wrong. Changes nothing.')
    .argument('<file>', 'the configuration, in YAML')
    .option('--sql', 'print only the SQL that repairs what was found')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      examples('millrace doctor pipeline.yaml', 'millrace doctor pipeline.yaml --sql > repair.sql'),
    )
    .action(async (file: string, options: { json?: boolean; sql?: boolean }) => {
      const { doctorCommand } = await import('./doctor.ts')
      end(await doctorCommand(file, options))
    })
}

function addStatus(program: Command, end: End): void {
  program
    .command('status')
    .description('Show how a running pipeline is doing.')
    .argument('[file]', 'its configuration')
    .option('--data <directory>', 'its data directory, in place of the configuration')
    .option('--json', 'print JSON, one line for each status')
    .option('--watch', 'print it again every second')
    .addHelpText(
      'after',
      examples('millrace status pipeline.yaml --watch', 'millrace status --data data/shop --json'),
    )
    .action(async (file: string | undefined, options: StatusOptions) => {
      const { statusCommand } = await import('./status.ts')
      end(await statusCommand({ ...options, file }))
    })
}

function addTap(program: Command, end: End): void {
  program
    .command('tap')
    .description('Print the records of a topic, as they come while a pipeline runs.')
    .argument('<topic>', 'a topic, such as shop.public.orders, or <pipeline>.<view>')
    .argument('[file]', 'the configuration')
    .option('--data <directory>', 'the data directory, in place of the configuration')
    .addOption(from())
    .option('--limit <count>', 'end after so many records', count)
    .option('--json', 'print JSON, one record a line')
    .addHelpText(
      'after',
      examples(
        'millrace tap shop.public.orders pipeline.yaml --limit 10',
        'millrace tap shop.orders --data data/shop --from end --json | jq .value.after',
      ),
    )
    .action(async (topic: string, file: string | undefined, options: TapCommandOptions) => {
      const { tapCommand } = await import('./tap.ts')
      end(await tapCommand(topic, { ...options, file }))
    })
}

function addSnapshot(program: Command, end: End): void {
  program
    .command('snapshot')
    .description('Read tables again while a pipeline runs.')
    .argument('<connector>', 'its name in the configuration')
    .argument('[words...]', 'tables, such as public.orders; or pause, resume, cancel, status')
    .option('--config <file>', 'the configuration of the pipeline')
    .option('--data <directory>', 'its data directory, in place of the configuration')
    .option('--where <condition>', 'a filter in SQL: only these rows are read')
    .addHelpText(
      'after',
      examples(
        'millrace snapshot db public.orders public.customers --config pipeline.yaml',
        'millrace snapshot db public.orders --where "status = \'open\'" --data data/shop',
        'millrace snapshot db pause --data data/shop',
      ),
    )
    .action(async (connector: string, words: string[], options: SnapshotArguments) => {
      const { snapshotCommand } = await import('./snapshot.ts')
      end(await snapshotCommand(connector, words, { ...options, file: options.config }))
    })
}

type SnapshotArguments = SnapshotOptions & { readonly config?: string }

function from(): Option {
  return new Option('--from <place>', 'where to begin')
    .choices(['beginning', 'end'])
    .default('beginning')
}

function count(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('It must be a whole number.')
  return Number(text)
}

function examples(...lines: readonly string[]): string {
  return `\nExamples:\n${lines.map((line) => `  $ ${line}`).join('\n')}`
}
