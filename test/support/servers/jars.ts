import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { intoCache } from './cache.ts'
import type { Jdk } from './java.ts'
import { MissingServer, run } from './missing.ts'

/** A server that is published as jars: `pom.xml` in a folder beside this file names them. */
export interface JarServer {
  /** The folder beside this file. */
  readonly name: string
  readonly version: string
  readonly mavenArgs?: readonly string[]
  /** What is to be compiled in that folder, such as a class with `main` if the server has none. */
  readonly sources?: readonly string[]
  /** Where `pom.xml` lies, if not in the folder beside this file. */
  readonly folder?: string
  /** What is to be done with the folder once the jars lie in its `lib`. */
  readonly arrange?: (folder: string) => Promise<void>
}

/** The folder of the cache with the server's jars in `lib`; Maven fetches them the first time. */
export async function jarsOf(server: JarServer, jdk: Jdk): Promise<string> {
  const { name, version, sources = [], arrange } = server
  const source = server.folder ?? fileURLToPath(new URL(`./${name}/`, import.meta.url))
  const made = await digest(source)
  return intoCache(`${name}-${version}-java${jdk.version}-${made}`, async (fresh) => {
    const lib = join(fresh, 'lib')
    await fetchJars(server, join(source, 'pom.xml'), lib)
    const files = sources.map((file) => join(source, file))
    if (files.length > 0) await compile(files, lib, fresh, jdk)
    await arrange?.(fresh)
  })
}

/** Of the files beside this one, so that a change of them is not hidden by what was made before. */
async function digest(folder: string): Promise<string> {
  const hash = createHash('sha256')
  for (const name of (await readdir(folder)).sort()) hash.update(await readFile(join(folder, name)))
  return hash.digest('hex').slice(0, 8)
}

async function fetchJars(server: JarServer, pom: string, lib: string): Promise<void> {
  const goal = [
    'dependency:copy-dependencies',
    `-DoutputDirectory=${lib}`,
    '-DincludeScope=runtime',
  ]
  const args = ['-B', '-q', '-Dstyle.color=never', '-f', pom, `-Dv=${server.version}`]
  try {
    await run('mvn', [...args, ...(server.mavenArgs ?? []), ...goal])
  } catch (cause) {
    const known = (cause as NodeJS.ErrnoException).code === 'ENOENT'
    const why = known ? 'Maven (mvn) is not installed' : 'Maven cannot fetch its jars'
    throw new MissingServer(`There is no ${server.name} ${server.version}: ${why}.`, { cause })
  }
}

async function compile(
  files: readonly string[],
  lib: string,
  fresh: string,
  jdk: Jdk,
): Promise<void> {
  const classes = join(fresh, 'classes')
  await run(jdk.javac, ['-nowarn', '-cp', join(lib, '*'), '-d', classes, ...files])
  await run(jdk.jar, ['cf', join(lib, 'main.jar'), '-C', classes, '.'])
}
