import type { Json } from '../../src/core/json.ts'

/**
 * The text below each of some fields (`items.product.name`) of a document, for full-text search.
 */
export function searchTexts(doc: Json, fields: readonly string[]): string[] {
  return fields.map((field) => {
    const texts: string[] = []
    descend(doc, field.split('.'), texts)
    return texts.join('\n')
  })
}

/** An array on the way stands for each of its elements. */
function descend(value: Json | undefined, path: readonly string[], texts: string[]): void {
  const [name, ...rest] = path
  if (name === undefined) gather(value, texts)
  else if (Array.isArray(value)) for (const element of value) descend(element, path, texts)
  else if (isObject(value) && Object.hasOwn(value, name)) descend(value[name], rest, texts)
}

/** Strings and numbers at any depth. */
function gather(value: Json | undefined, texts: string[]): void {
  if (typeof value === 'string') texts.push(value)
  else if (typeof value === 'number' || typeof value === 'bigint') texts.push(String(value))
  else if (value !== null && typeof value === 'object') {
    for (const inner of Object.values(value)) gather(inner, texts)
  }
}

function isObject(value: Json | undefined): value is { readonly [key: string]: Json } {
  return value !== null && typeof value === 'object' && !Array.isArray(value)
}
