import { createRequire } from 'node:module'
import { resolve } from 'node:path'
import type { SinkPlugin } from '../../core/plugin.ts'

/** Whether a type is the file of a sink of the user's own: `./my-sink.ts`. */
export function isModule(type: string): boolean {
  return /^(\.{0,2}\/).*\.[cm]?[jt]s$/.test(type)
}

/** The sink that a module exports, or what is wrong with it. */
export function loadSink(type: string, directory: string): SinkPlugin<unknown> | string {
  let exported: object
  try {
    // Node reads ECMAScript modules so, too, and TypeScript without its types.
    exported = createRequire(import.meta.url)(resolve(directory, type)) as object
  } catch (error) {
    return `${type} cannot be loaded: ${(error as Error).message.split('\n')[0]}`
  }
  const sinks = Object.values(exported).filter(isSink)
  if (sinks.length === 1) return sinks[0]!
  return `${type} must export one sink, with type, options, check and open; it exports ${sinks.length}`
}

function isSink(value: unknown): value is SinkPlugin<unknown> {
  if (typeof value !== 'object' || value === null) return false
  const { type, options, check, open } = value as Partial<SinkPlugin<unknown>>
  const isOpened = typeof check === 'function' && typeof open === 'function'
  return typeof type === 'string' && isOpened && typeof options?.safeParse === 'function'
}
