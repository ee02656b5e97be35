import { join } from 'node:path'
import type { Test } from 'tap'
import { describeError } from '../../../src/core/errors.ts'
import { CommandFailure } from '../../../src/launcher/exit.ts'
import { useKafka } from '../../support/servers/use.ts'
import { standInCli, start } from '../child.ts'
import { standInCommand } from '../stand-in-commands.ts'

export interface KafkaProgram {
  readonly bootstrap: string
  /** Also the pipeline's name. Its connector is `c` behind it, and writes `numbers`. */
  readonly prefix: string
  readonly folder: string
  readonly topic: string
  run(): Promise<void>
  stop(): Promise<void>
  /** Runs a command of the stand-in program; each line of its output that is JSON is read. */
  ask(...args: readonly string[]): Promise<Answer>
}

export interface Answer {
  readonly code: number | null
  readonly output: string
  // biome-ignore lint/suspicious/noExplicitAny: what a command prints is compared as it is.
  readonly json: readonly any[]
}

/** Pieces of YAML; in `sinks` `$topic` is what the connector writes. */
export interface ProgramOptions {
  readonly sinks: string
  /** Further options of the log, and of the connector. */
  readonly log?: string
  readonly connector?: string
  readonly topics?: string
}

/** A pipeline on Kafka that counts to ten, a commit for each number. It is not started yet. */
export async function kafkaProgram(
  t: Test,
  { sinks, log = '', connector = '', topics = '' }: ProgramOptions,
): Promise<KafkaProgram> {
  const { bootstrap, prefix } = await useKafka(t)
  const text = `name: ${prefix}
log: {type: kafka, brokers: "${bootstrap}"${log}}
connectors:
  ${prefix}c: {type: counter${connector}}
sinks:
${sinks.replaceAll('$topic', `${prefix}c.numbers`)}
${topics}
`
  const folder = t.testdir({ 'p.yaml': text })
  let running: ReturnType<typeof start> | undefined
  const stop = async () => {
    running?.kill('SIGTERM')
    await running?.ended
    running = undefined
  }
  t.teardown(stop)
  return {
    ...{ bootstrap, prefix, folder, topic: `${prefix}c.numbers`, stop },
    async run() {
      running = start(standInCli, ['p.yaml'], { cwd: folder })
      await running.said(/: running/)
    },
    async ask(...args) {
      const { code, output } = await captured(args, folder)
      const lines = output.split('\n')
      const json = lines.filter((line) => /^[[{]/.test(line)).map((line) => JSON.parse(line))
      return { code, output, json }
    },
  }
}

/** Runs a command in this process, which is quicker than to start one. */
async function captured(
  args: readonly string[],
  folder: string,
): Promise<Pick<Answer, 'code' | 'output'>> {
  let output = ''
  const streams = [process.stdout, process.stderr]
  const writes = streams.map((stream) => stream.write)
  const keep = (text: string | Uint8Array) => {
    output += String(text)
    return true
  }
  for (const stream of streams) stream.write = keep as typeof stream.write
  try {
    const located = args.map((arg) => (arg === 'p.yaml' ? join(folder, arg) : arg))
    const code = (await standInCommand(located)) ?? null
    return { code, output }
  } catch (error) {
    const text = error instanceof CommandFailure ? error.message : describeError(error)
    return { code: 1, output: `${output}${text}\n` }
  } finally {
    for (const [i, stream] of streams.entries()) stream.write = writes[i]!
  }
}
