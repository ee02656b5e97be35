import { type ChildProcess, spawn } from 'node:child_process'
import { createWriteStream, type WriteStream } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

export interface Command {
  /** The configuration to run. */
  readonly file: string
  readonly env: Readonly<Record<string, string>>
  /** Breaks the program on purpose. */
  readonly sabotage?: string | undefined
  /** Everything that is said is kept here. */
  readonly output: string
}

const root = join(import.meta.dirname, '../..')
export const cli = join(root, 'src/launcher/main.ts')
const broken = join(import.meta.dirname, 'sabotaged.ts')

/** The real program, as a process of its own. */
export class Program {
  readonly #child: ChildProcess
  readonly #output: WriteStream
  readonly #ended: Promise<string>
  #end: string | undefined
  #isKilled = false

  /** `heard` is given each line that it says. */
  constructor({ file, env, sabotage, output }: Command, heard: (line: string) => void) {
    const args = sabotage === undefined ? [cli, 'run', file] : [broken, sabotage, file]
    this.#child = spawn(process.execPath, ['--conditions=millrace-source', ...args], {
      cwd: root,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#output = createWriteStream(output, { flags: 'a' })
    for (const stream of [this.#child.stdout!, this.#child.stderr!]) {
      createInterface({ input: stream }).on('line', (line) => {
        heard(line)
        this.#output.write(`${new Date().toISOString()} ${this.#child.pid} ${line}\n`)
      })
    }
    this.#ended = new Promise((resolve) => {
      this.#child.once('close', (code, signal) => {
        this.#end = String(code ?? signal)
        this.#output.end()
        resolve(this.#end)
      })
    })
  }

  /** Whether it ended without being told to. */
  get hasEndedByItself(): boolean {
    return this.#end !== undefined && !this.#isKilled
  }

  /** How it ended: an exit code or a signal. */
  get end(): string | undefined {
    return this.#end
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name)
  }

  /** Gives it no chance to do anything more. */
  async kill(): Promise<void> {
    if (this.#end !== undefined) return
    this.#isKilled = true
    this.#child.kill('SIGKILL')
    await this.#ended
  }

  /** Asks it to end, and says how it did. */
  async stop(): Promise<string> {
    if (this.#end !== undefined) return this.#end
    this.#child.kill('SIGTERM')
    const late = setTimeout(() => this.#child.kill('SIGKILL'), 45_000)
    const end = await this.#ended
    clearTimeout(late)
    return end
  }
}
