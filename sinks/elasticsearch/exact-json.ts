/*
 * JSON of the server, with every number digit by digit: a double has too few for a version, and for
 * an int8. What is parsed so is written out again as it came.
 */

// Of ECMAScript's "JSON.parse source text access", which the types do not know yet.
const { rawJSON: rawJson } = JSON as unknown as { rawJSON(text: string): { rawJSON: string } }

export function parseExact(body: Buffer): unknown {
  return JSON.parse(body.toString(), (_, value: unknown, context?: { readonly source: string }) =>
    typeof value === 'number' ? rawJson(context!.source) : value,
  )
}

/** The digits of a number that was parsed so. */
export function digitsOf(number: unknown): string {
  return (number as { readonly rawJSON: string }).rawJSON
}
