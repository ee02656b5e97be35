import { readdir } from 'node:fs/promises'
import { delimiter, dirname, join } from 'node:path'
import { MissingServer, run } from './missing.ts'

export interface Jdk {
  readonly java: string
  readonly javac: string
  readonly jar: string
  readonly version: number
}

/**
 * Functional tests start servers more often than they keep them busy: compile little, keep small.
 */
export const quickStart = ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-Xshare:auto']

/** A JDK of at least this version: JAVA_HOME's, the one on the PATH, or one of /usr/lib/jvm. */
export async function findJdk(
  oldest: number,
  env: NodeJS.ProcessEnv = process.env,
  installed = '/usr/lib/jvm',
): Promise<Jdk> {
  for (const bin of await binFolders(env, installed)) {
    const jdk = await jdkIn(bin)
    if (jdk !== undefined && jdk.version >= oldest) return jdk
  }
  throw new MissingServer(
    `There is no JDK ${oldest} or newer in JAVA_HOME, on the PATH or in ${installed}.`,
  )
}

async function binFolders(env: NodeJS.ProcessEnv, installed: string): Promise<readonly string[]> {
  const home = env.JAVA_HOME ? [join(env.JAVA_HOME, 'bin')] : []
  const path = (env.PATH ?? '').split(delimiter).filter((folder) => folder !== '')
  const others: readonly string[] = await readdir(installed).catch(() => [])
  return [...home, ...path, ...others.map((name) => join(installed, name, 'bin'))]
}

async function jdkIn(bin: string): Promise<Jdk | undefined> {
  const files: readonly string[] = await readdir(bin).catch(() => [])
  if (!files.includes('java') || !files.includes('javac') || !files.includes('jar'))
    return undefined
  const java = join(bin, 'java')
  const words = await run(java, ['-version'], { cwd: dirname(bin) }).catch(() => '')
  const version = Number(/version "(\d+)/.exec(words)?.[1] ?? 0)
  return { java, javac: join(bin, 'javac'), jar: join(bin, 'jar'), version }
}
