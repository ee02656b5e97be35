import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { Test } from 'tap'
import { jarsOf } from '../support/servers/jars.ts'
import { findJdk, quickStart } from '../support/servers/java.ts'
import { kafkaVersion } from '../support/servers/kafka.ts'
import { MissingServer, run } from '../support/servers/missing.ts'
import { skipNow } from '../support/servers/skip-now.ts'

/** Java programs beside the tests: Kafka's own tools, and those in the folder `java`. */
export interface Java {
  /** Runs a program to its end, and gives what it wrote. */
  run(main: string, ...args: readonly string[]): Promise<string>
  /** Starts one that ends with its standard input, at the latest after the test. */
  start(main: string, ...args: readonly string[]): JavaProgram
}

export interface JavaProgram {
  /** All that it wrote so far. */
  readonly output: () => string
  /** Gives it its whole standard input, and waits for its end. */
  end(input?: string): Promise<void>
}

/** Skips the test where there is no JDK, or Maven cannot fetch the jars. */
export async function useJava(t: Test): Promise<Java> {
  const folder = join(import.meta.dirname, 'java')
  const sources = ['Join.java', 'ReadConnect.java']
  try {
    const jdk = await findJdk(17)
    const jars = await jarsOf({ name: 'kafka-java', version: kafkaVersion, folder, sources }, jdk)
    const before = [...quickStart, '-Xmx256m', '-cp', join(jars, 'lib', '*')]
    return {
      run: (main, ...args) => run(jdk.java, [...before, main, ...args]),
      start(main, ...args) {
        const child = spawn(jdk.java, [...before, main, ...args])
        let output = ''
        for (const stream of [child.stdout, child.stderr]) {
          stream.setEncoding('utf8').on('data', (text: string) => (output += text))
        }
        const end = async (input = '') => {
          if (child.stdin.writable) child.stdin.end(input)
          if (child.exitCode === null) await once(child, 'close')
        }
        t.teardown(() => end())
        return { output: () => output, end }
      },
    }
  } catch (error) {
    if (!(error instanceof MissingServer) || process.env.CI === 'true') throw error
    return skipNow(t, error.message)
  }
}
