import { CaseFault } from '../difference.ts'
/** What to do after the connector has started, line by line. */
export type Step =
  | { readonly do: 'sql'; readonly sql: string }
  | { readonly do: 'session'; readonly session: string; readonly commands: readonly string[] }
  | { readonly do: 'restart after'; readonly value: string }
  | { readonly do: 'stop at'; readonly stop: Stop }
  | { readonly do: 'advance slot' }

/** Where the consumer stops: before a row, or after so many rows. */
export type Stop = { readonly column: string; readonly value: string } | { readonly rows: number }

/** Of a transaction that is described as `n pairs`. */
export const pairs = 20

interface Reading {
  readonly grammar: RegExp
  readonly steps: (...groups: string[]) => readonly Step[]
}

const sql = (text: string): Step => ({ do: 'sql', sql: text })

/** The instructions, and the abbreviations of SQL, that are understood. */
const readings: readonly Reading[] = [
  {
    grammar: /^([^-]*) -- many times$/,
    steps: (statement) => Array.from({ length: 200 }, () => sql(statement)),
  },
  {
    grammar: /^BEGIN; -- n pairs (INSERT .*\), INSERT .*\)); COMMIT$/,
    steps: (inserts) => [sql(`BEGIN; ${insertPairs(inserts)} COMMIT`)],
  },
  {
    grammar: /^(BEGIN; INSERT .* VALUES) \('(\D+)1'\) \.\.\. \('\2(\d+)'\); COMMIT$/,
    steps: (begin, word, last) => {
      const rows = Array.from({ length: Number(last) }, (_, i) => `('${word}${i + 1}')`)
      return [sql(`${begin} ${rows.join(', ')}; COMMIT`)]
    },
  },
  {
    grammar: /^-- stop the consumer in the middle, restart$/,
    steps: () => [{ do: 'stop at', stop: { rows: pairs } }],
  },
  {
    grammar:
      /^-- consumer is stopped when it reaches (\w+) (\d+) \(record \2 not delivered\), then restarted$/,
    steps: (column, value) => [{ do: 'stop at', stop: { column, value } }],
  },
  {
    grammar:
      /^-- while chunks are read: (UPDATE .* WHERE (\w+) > (\d+) AND \2 <= (\d+)) \(in batches of (\d+)\)$/,
    steps: (update, column, ...[from, to, size]) =>
      batches(Number(from), Number(to), Number(size)).map(([low, high]) =>
        sql(update.replace(/ WHERE .*$/, ` WHERE ${column} > ${low} AND ${column} <= ${high}`)),
      ),
  },
  {
    grammar: /^-- (T\d+): (.+)$/,
    steps: (session, text) => [
      { do: 'session', session, commands: text.split(';').map((one) => one.trim()) },
    ],
  },
  {
    grammar: /^-- consumer restarted after (\w+) is delivered and acknowledged$/,
    steps: (value) => [{ do: 'restart after', value }],
  },
  {
    grammar:
      /^-- offset store says LSN X; slot confirmed_flush_lsn > X \(slot advanced by someone else\); start$/,
    steps: () => [{ do: 'advance slot' }],
  },
]

/** Reads the lines of `dml`. Throws on an instruction that is not understood. */
export function readSteps(lines: readonly string[]): readonly Step[] {
  return lines.flatMap((line) => {
    for (const { grammar, steps } of readings) {
      const match = grammar.exec(line)
      if (match !== null) return steps(...match.slice(1))
    }
    return [sql(refuseInstructions(line))]
  })
}

/** A line of SQL as it is. Throws where it holds an instruction or an abbreviation. */
export function refuseInstructions(line: string): string {
  const bare = line.replace(/'(?:[^']|'')*'|"[^"]*"/g, "''")
  if (/--|\.\.\./.test(bare)) throw new CaseFault(`the instruction '${line}' is not understood`)
  return line
}

/** `INSERT s1.a(aa) VALUES(i), INSERT s2.a(aa) VALUES(i)`, for each i. */
function insertPairs(inserts: string): string {
  const templates = inserts
    .split(/, (?=INSERT )/)
    .map((one) => one.replace(/^INSERT /, 'INSERT INTO '))
  const numbers = Array.from({ length: pairs }, (_, i) => i + 1)
  return numbers
    .flatMap((i) => templates.map((one) => `${one.replace('VALUES(i)', `VALUES(${i})`)};`))
    .join(' ')
}

function batches(from: number, to: number, size: number): readonly (readonly [number, number])[] {
  const count = Math.ceil((to - from) / size)
  return Array.from({ length: count }, (_, i) => [
    from + i * size,
    Math.min(to, from + (i + 1) * size),
  ])
}
