/** The value at a path such as `records[0].after.text`, or undefined. */
export function at(root: unknown, path: string): unknown {
  let value = root
  for (const step of path.match(/[^.[\]]+/g) ?? []) {
    if (typeof value !== 'object' || value === null) return undefined
    value = (value as Readonly<Record<string, unknown>>)[step]
  }
  return value
}
