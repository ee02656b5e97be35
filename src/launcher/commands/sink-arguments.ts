import { type Command, InvalidArgumentError, Option } from 'commander'
import type { ExitCode } from '../exit.ts'
import type { DlqOptions } from './dlq.ts'
import type { ReindexCommandOptions } from './reindex.ts'
import type { VerifyCommandOptions } from './verify.ts'

type End = (code: ExitCode) => void

/** The commands that look after sinks. */
export function addSinkCommands(program: Command, end: End): void {
  addDlq(program, end)
  addSink(program, end)
  addVerify(program, end)
  addReindex(program, end)
  addExplain(program, end)
}

function addDlq(program: Command, end: End): void {
  const dlq = program.command('dlq').description('List and mend the records that sinks refused.')
  dlq.addHelpText(
    'after',
    `
Examples:
  $ millrace dlq ls pipeline.yaml --sink search
  $ millrace dlq show pipeline.yaml 3f2a91c0ab
  $ millrace dlq replay pipeline.yaml --code document_parsing_exception`,
  )
  chosen(dlq.command('ls').description('List dead letters that wait; with --all, all there are.'))
    .option('--all', 'also those that are done with')
    .action(async (file: string, options: DlqOptions) => {
      const { listLetters } = await import('./dlq.ts')
      end(await listLetters(file, options))
    })
  named(dlq.command('show').description('Show letters with the records as they were refused.'))
    .argument('<letters...>', 'their ids, or the beginnings of them')
    .action(async (file: string, ids: string[], options: DlqOptions) => {
      const { showLetters } = await import('./dlq.ts')
      end(await showLetters(file, { ...options, ids }))
    })
  addDeed(dlq, end, {
    name: 'replay',
    does: 'Write them again, each unless its key has a newer record.',
  })
  addDeed(dlq, end, { name: 'skip', does: 'Mark them as done with.' })
  chosen(dlq.command('export').description('Print letters with their records, as lines of JSON.'))
    .option('--all', 'also those that are done with')
    .action(async (file: string, options: DlqOptions) => {
      const { exportLetters } = await import('./dlq.ts')
      end(await exportLetters(file, options))
    })
}

function addDeed(
  dlq: Command,
  end: End,
  { name, does }: { readonly name: 'replay' | 'skip'; readonly does: string },
): void {
  chosen(dlq.command(name).description(does))
    .argument('[letters...]', 'their ids, or the beginnings of them; or --sink, --code')
    .action(async (file: string, ids: string[], options: DlqOptions) => {
      const isChosen = ids.length > 0 || options.sink !== undefined || options.code !== undefined
      if (!isChosen) dlq.error('error: say which letters: by their ids, --sink or --code')
      const { dealWithLetters } = await import('./dlq.ts')
      end(await dealWithLetters(file, name, { ...options, ids }))
    })
}

function named(command: Command): Command {
  return command
    .argument('<file>', 'the configuration, in YAML')
    .option('--json', 'print JSON, one letter a line')
}

function chosen(command: Command): Command {
  return named(command)
    .option('--sink <name>', 'only those of this sink')
    .option('--code <code>', 'only those that were refused as this')
}

function addSink(program: Command, end: End): void {
  const sink = program
    .command('sink')
    .description('Pause, resume, rewind or refill one sink while all else runs.')
  sink.addHelpText(
    'after',
    `
Examples:
  $ millrace sink pause pipeline.yaml search
  $ millrace sink rewind pipeline.yaml search --to-time 2025-01-02T03:04:05Z`,
  )
  const orders = {
    pause: 'Stop it until it is resumed, also over a restart. It keeps its position.',
    resume: 'Let it go on. One that a flood of refusals stopped goes on with dead letters.',
    refill: 'Remove all that it has written, and fill it from the beginning.',
  } as const
  for (const name of ['pause', 'resume', 'refill'] as const) {
    ofSink(sink.command(name).description(orders[name])).action(
      async (file: string, which: string) => {
        const { sinkCommand } = await import('./sinks.ts')
        end(await sinkCommand(file, which, { do: name }))
      },
    )
  }
  ofSink(
    sink.command('rewind').description('Have it read again what it has read; what it holds stays.'),
  )
    .option('--to-beginning', 'from the first record')
    .option('--to-time <time>', 'from the first record that is as new as this', time)
    .action(async (file: string, which: string, { toBeginning, toTime }: RewindArguments) => {
      if ((toBeginning === true) === (toTime !== undefined)) {
        sink.error('error: give one of --to-beginning and --to-time')
      }
      const { sinkCommand } = await import('./sinks.ts')
      const to = toTime === undefined ? 'beginning' : { time: toTime }
      end(await sinkCommand(file, which, { do: 'rewind', to }))
    })
}

interface RewindArguments {
  readonly toBeginning?: boolean
  readonly toTime?: number
}

function addVerify(program: Command, end: End): void {
  ofSink(program.command('verify').description('Compare what a sink holds with what it reads.'))
    .option('--sample <count>', 'compare so many documents, chosen at random', count)
    .option('--repair', 'mend what differs, through the running sink')
    .option('--show', 'print the documents that differ')
    .option('--wait <seconds>', 'how long the sink may take to catch up', count, 30)
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Exit codes: 0 no difference, or all mended; 1 differences; 2 wrong arguments.

Examples:
  $ millrace verify pipeline.yaml search
  $ millrace verify pipeline.yaml search --sample 10000 --json`,
    )
    .action(async (file: string, sink: string, options: VerifyArguments) => {
      const { verifyCommand } = await import('./verify.ts')
      end(await verifyCommand(file, sink, { ...options, patienceMs: options.wait * 1_000 }))
    })
}

type VerifyArguments = Omit<VerifyCommandOptions, 'registry'> & { readonly wait: number }

function addReindex(program: Command, end: End): void {
  ofSink(
    program
      .command('reindex')
      .description('Fill a new target beside the one that serves, and exchange them.'),
  )
    .option('--hold', 'fill and compare it, but do not exchange them')
    .option('--sample <count>', 'compare so many documents, chosen at random', count)
    .addOption(ending('--status', 'print how far it is'))
    .addOption(ending('--cancel', 'remove the new one, before it serves'))
    .addOption(ending('--rollback', 'put the one back that served before'))
    .addOption(ending('--finish', 'remove the one that served before'))
    .addHelpText('after', '\nExamples:\n  $ millrace reindex pipeline.yaml search')
    .action(async (file: string, sink: string, options: ReindexArguments) => {
      const { reindexCommand } = await import('./reindex.ts')
      const order = endings.find((each) => options[each] === true)
      end(await reindexCommand(file, sink, { ...options, do: order }))
    })
}

const endings = ['status', 'cancel', 'rollback', 'finish'] as const

type ReindexArguments = Omit<ReindexCommandOptions, 'do' | 'registry'> &
  Readonly<Partial<Record<(typeof endings)[number], true>>>

function ending(flag: string, description: string): Option {
  const others = endings.filter((each) => flag !== `--${each}`)
  return new Option(flag, description).conflicts([...others, 'hold', 'sample'])
}

function addExplain(program: Command, end: End): void {
  ofSink(program.command('explain').description('Follow one key from its topic into a sink.'))
    .argument('<key>', 'the key as JSON, or its text, or the id in the sink')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExamples:\n  $ millrace explain pipeline.yaml search \'{"id":42}\'')
    .action(async (file: string, sink: string, key: string, options: { json?: boolean }) => {
      const { explainCommand } = await import('./explain.ts')
      end(await explainCommand(file, sink, key, options))
    })
}

function ofSink(command: Command): Command {
  return command
    .argument('<file>', 'the configuration, in YAML')
    .argument('<sink>', 'its name in the configuration; `<sink>/<topic>` for one of several topics')
}

export function time(text: string): number {
  const at = Date.parse(text)
  if (Number.isNaN(at))
    throw new InvalidArgumentError('It must be a time, such as 2025-01-02T03:04:05Z.')
  return at
}

export function count(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('It must be a whole number.')
  return Number(text)
}
