import { mkdir, mkdtemp, rename, rm, stat } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'

/** Where downloaded servers are kept between runs. */
export function cacheFolder(): string {
  const caches = process.env.XDG_CACHE_HOME || join(homedir(), '.cache')
  return join(caches, 'millrace-test')
}

/**
 * A folder of the cache, filled once. It is filled beside its place and renamed when complete, so
 * that a process that dies half way leaves nothing that looks complete, and two at a time do no
 * harm.
 */
export async function intoCache(
  name: string,
  fill: (fresh: string) => Promise<void>,
): Promise<string> {
  const folder = join(cacheFolder(), name)
  if (await stat(folder).catch(() => undefined)) return folder
  await mkdir(cacheFolder(), { recursive: true })
  const fresh = await mkdtemp(`${folder}.`)
  try {
    await fill(fresh)
    await rename(fresh, folder)
  } catch (error) {
    await rm(fresh, { recursive: true, force: true })
    if (!(await stat(folder).catch(() => undefined))) throw error
  }
  return folder
}
