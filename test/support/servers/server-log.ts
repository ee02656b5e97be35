import { readFile, stat } from 'node:fs/promises'

/** Watches a server's log for a text, from where the log ends now: a restart appends to it. */
export async function logHas(file: string, text: string): Promise<() => Promise<boolean>> {
  const from = (await stat(file).catch(() => undefined))?.size ?? 0
  return async () => {
    const log = await readFile(file).catch(() => undefined)
    return log?.subarray(from).includes(text) ?? false
  }
}
