import type { Json } from '../core/json.ts'
import type { Queryable } from '../core/queryable.ts'
import { decodeKey } from './stores/value-codec.ts'

/** Answers a path such as `/stores/{store}/items/{item}/count` from the stores; null: not found. */
export type Route = (
  parameters: { readonly [name: string]: Json },
  store: (name: string) => Pick<Queryable, 'get' | 'versions'>,
) => Json

/** By their pattern, under the topology's name. */
export type Routes = { readonly [pattern: string]: Route }

/** The answer of the first route whose pattern is the path's; `undefined` if there is none. */
export function answerRoute(
  routes: Routes,
  path: string,
  store: (name: string) => Pick<Queryable, 'get' | 'versions'> | undefined,
): { readonly value: Json } | undefined {
  for (const [pattern, route] of Object.entries(routes)) {
    const parameters = match(pattern, path)
    if (parameters === undefined) continue
    const value = route(parameters, (name) => {
      const found = store(name)
      if (found === undefined) throw new Error(`the topology has no store ${name}`)
      return found
    })
    return value === null ? undefined : { value }
  }
  return undefined
}

function match(pattern: string, path: string): Record<string, Json> | undefined {
  const [wanted, given] = [pattern.split('/'), path.split('/')]
  if (wanted.length !== given.length) return undefined
  const parameters: Record<string, Json> = Object.create(null)
  for (let i = 0; i < wanted.length; i++) {
    const [, name] = /^\{(\w+)\}$/.exec(wanted[i]!) ?? []
    if (name !== undefined) parameters[name] = parameterOf(decodeURIComponent(given[i]!))
    else if (wanted[i] !== given[i]) return undefined
  }
  return parameters
}

/** A number if it is one, or else text. */
function parameterOf(text: string): Json {
  return /^-?(0|[1-9]\d*)$/.test(text) ? decodeKey(text) : text
}
