import type { Json } from '../../../src/core/json.ts'
import { CaseFault } from '../difference.ts'

type Values = Readonly<Record<string, Json>>
export type Sentence = (values: Values) => string

/** A remark behind a formula that changes nothing here. */
const remark = / \((null printed as "null"|outer join|inner join)\)$/

/** Formulas such as `left + "-" + right`; a name that is not in `names` is not understood. */
export function formula(text: string, names: readonly string[]): Sentence {
  const terms = text.replace(remark, '').match(/"[^"]*"|[^+"]+/g) ?? []
  const parts = terms.map((term) => term.trim()).filter((term) => term !== '')
  for (const part of parts) {
    if (!part.startsWith('"') && !names.includes(part)) {
      throw new CaseFault(`the name ${part} in ${text} is not understood`)
    }
  }
  return (values) => parts.map((part) => said(part, values)).join('')
}

function said(part: string, values: Values): string {
  return part.startsWith('"') ? part.slice(1, -1) : String(values[part] ?? null)
}

/** `initializer "0"; adder: agg + "+" + value; merger: a + "+" + b` by the words before colons. */
export function clauses(text: string): Readonly<Record<string, string>> {
  return Object.fromEntries(
    text.split('; ').map((clause) => {
      const initializer = /^initializer "(.*)"$/.exec(clause)
      if (initializer !== null) return ['initializer', initializer[1]!]
      const at = clause.indexOf(': ')
      return at < 0 ? [clause, ''] : [clause.slice(0, at), clause.slice(at + 2)]
    }),
  )
}
