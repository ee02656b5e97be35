/** Where something stands in the configuration: names of mappings, places in lists. */
export type Path = readonly (string | number)[]

/** Where a thing stands in a file. */
export interface Place {
  readonly file: string
  /** Both count from 1, as editors do. */
  readonly line: number
  readonly column: number
  readonly path: string
}

/** One thing that is wrong with a configuration, and where. */
export interface Fault extends Place {
  readonly what: string
}

/** `file:line:column: path: what`: the form that editors and terminals turn into a link. */
export function showFault({ file, line, column, path, what }: Fault): string {
  return `${file}:${line}:${column}: ${path === '' ? '' : `${path}: `}${what}`
}

/** `connectors.shop.tables[1]`. */
export function showPath(path: Path): string {
  return path.map(showStep).join('').replace(/^\./, '')
}

function showStep(step: string | number): string {
  if (typeof step === 'number') return `[${step}]`
  return /^[\w.-]+$/.test(step) ? `.${step}` : `[${JSON.stringify(step)}]`
}

export function inOrder(faults: readonly Fault[]): readonly Fault[] {
  return faults.toSorted((a, b) => a.line - b.line || a.column - b.column)
}
