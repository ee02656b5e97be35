/**
 * JSON text without what does not matter: white space, the order of members, escapes. Numbers keep
 * every digit. Throws SyntaxError if the text is not JSON.
 */
export function canonicalJson(text: string): string {
  return JSON.stringify(
    JSON.parse(text, (_, value: unknown, context?: { readonly source: string }) => {
      if (typeof value === 'number') return rawJson(context!.source)
      if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
      return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
    }),
  )
}

// Of ECMAScript's "JSON.parse source text access", which the types do not know yet.
const { rawJSON: rawJson } = JSON as unknown as {
  rawJSON(text: string): object
}
