import type { Test } from 'tap'
import { cli, standInCli, start } from '../child.ts'

/** A pipeline that counts to ten, a commit for each number, and runs until it is stopped. */
export async function runProgram(t: Test, files: Readonly<Record<string, string>>) {
  const folder = t.testdir({ ...files })
  let running: ReturnType<typeof start> | undefined
  const stop = async () => {
    running?.kill('SIGTERM')
    await running?.ended
  }
  t.teardown(stop)
  const ask = async (program: string, args: readonly string[]) => {
    const { output, ended } = start(program, args, { cwd: folder })
    const code = await ended
    return { code, output: output() }
  }
  const program = {
    folder,
    stop,
    async run() {
      running = start(standInCli, ['p.yaml'], { cwd: folder })
      await running.said(/: running/)
    },
    /** The real program, which knows no stand-ins: for commands that need no configuration. */
    millrace: (...args: readonly string[]) => ask(cli, args),
    standIn: (...args: readonly string[]) => ask(standInCli, args),
    /** Once the topic has all its records. */
    async untilCounted(topic = 'c.numbers') {
      for (;;) {
        const { output } = await ask(cli, ['topics', 'show', topic, '--data', 'data/p', '--json'])
        if (/"end":1[0-9]/.test(output)) return
      }
    },
  }
  await program.run()
  await program.untilCounted()
  return program
}

export const pipeline = `name: p
connectors:
  c: {type: counter}
sinks:
  one: {type: sqlite, from: c.numbers, path: one.db, table: numbers}
`
