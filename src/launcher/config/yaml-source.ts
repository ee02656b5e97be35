import {
  type Alias,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  type Scalar,
  visit,
} from 'yaml'
import type { Path } from './fault.ts'

/** A fault of the text itself. */
export interface SyntaxFault {
  readonly offset: number
  readonly path: Path
  readonly what: string
  /** The text cannot be read on: what else seems wrong may only follow from this. */
  readonly final: boolean
}

export interface ScalarPlace {
  readonly path: Path
  readonly scalar: Scalar
}

/** More of them than any person writes by hand; each costs what it stands for. */
const mostAliases = 100

/** A YAML text that remembers where everything stands. */
export class YamlSource {
  readonly faults: readonly SyntaxFault[]
  readonly #text: string
  readonly #lines = new LineCounter()
  readonly #document: Document

  constructor(text: string) {
    this.#text = text
    this.#document = parseDocument(text, {
      lineCounter: this.#lines,
      prettyErrors: false, // They quote the text, which may hold secrets.
      stringKeys: true,
      logLevel: 'error',
    })
    this.faults = [...this.#syntax(), ...this.#aliases()]
  }

  /** What the text says, with the scalars as they are by now. */
  value(): unknown {
    return this.#document.toJS({ maxAliasCount: mostAliases })
  }

  /** Every value that is neither a mapping nor a list, each once. */
  *scalars(): Generator<ScalarPlace> {
    yield* scalarsOf(this.#document.contents, [])
  }

  scalarAt(path: Path): Scalar | undefined {
    const node = this.#find(path)?.value
    return isScalar(node) ? node : undefined
  }

  /** Where the name or the value at `path` stands; that of its nearest parent if it has none. */
  offset(path: Path, of: 'name' | 'value'): number {
    for (let depth = path.length; depth > 0; depth--) {
      const found = this.#find(path.slice(0, depth))
      if (found === undefined) continue
      const node = of === 'value' && depth === path.length ? found.value : found.name
      return node?.range?.[0] ?? found.name?.range?.[0] ?? 0
    }
    return this.#document.contents?.range?.[0] ?? 0
  }

  /** Where `written` stands inside a scalar, or the scalar's start. */
  offsetWithin(scalar: Scalar, written: string): number {
    const [start, end] = scalar.range ?? [0, 0]
    const found = this.#text.indexOf(written, start)
    return found >= 0 && found < end ? found : start
  }

  lineAndColumn(offset: number): { readonly line: number; readonly column: number } {
    const { line, col } = this.#lines.linePos(offset)
    return { line: Math.max(1, line), column: Math.max(1, col) }
  }

  #find(path: Path): { name: Node | null; value: Node | null } | undefined {
    let name: Node | null = null
    let value = this.#resolve(this.#document.contents)
    for (const step of path) {
      if (isMap(value)) {
        const pair = value.items.findLast(({ key }) => isScalar(key) && key.value === step)
        if (pair === undefined) return undefined
        name = pair.key as Node
        value = this.#resolve(pair.value as Node | null)
      } else if (isSeq(value) && typeof step === 'number' && step < value.items.length) {
        name = value.items[step] as Node
        value = this.#resolve(name)
      } else return undefined
    }
    return { name, value }
  }

  #resolve(node: Node | null): Node | null {
    return isAlias(node) ? (node.resolve(this.#document) ?? null) : node
  }

  *#syntax(): Generator<SyntaxFault> {
    for (const { code, message, pos } of [...this.#document.errors, ...this.#document.warnings]) {
      const [offset] = pos
      if (code === 'DUPLICATE_KEY') {
        const path = pathAt(this.#document.contents, offset, []) ?? []
        yield { offset, path, what: 'is given twice', final: false }
      } else yield { offset, path: [], what: explainSyntax(code, message), final: true }
    }
  }

  *#aliases(): Generator<SyntaxFault> {
    const places: Alias[] = []
    visit(this.#document, {
      Alias: (_, alias) => {
        places.push(alias)
      },
    })
    const lost = places.filter((alias) => alias.resolve(this.#document) === undefined)
    for (const alias of lost) yield aliasFault(alias, unknownAnchor)
    const excess = places[mostAliases] ?? (this.#expands() ? undefined : places[0])
    if (lost.length === 0 && excess !== undefined) yield aliasFault(excess, tooManyAliases)
  }

  /** Aliases inside of what aliases stand for multiply. */
  #expands(): boolean {
    try {
      this.value()
      return true
    } catch {
      return false
    }
  }
}

const unknownAnchor = 'no anchor (&name) of this name stands before this alias'
const tooManyAliases = `more than ${mostAliases} aliases (*name) are not followed`

function aliasFault({ range }: Alias, what: string): SyntaxFault {
  return { offset: range?.[0] ?? 0, path: [], what, final: true }
}

function* scalarsOf(node: unknown, path: Path): Generator<ScalarPlace> {
  if (isScalar(node)) yield { path, scalar: node }
  else if (isSeq(node)) {
    for (const [i, item] of node.items.entries()) yield* scalarsOf(item, [...path, i])
  } else if (isMap(node)) {
    for (const { key, value } of node.items) {
      if (isScalar(key)) yield* scalarsOf(value, [...path, String(key.value)])
    }
  }
}

function pathAt(node: unknown, offset: number, path: Path): Path | undefined {
  if (isSeq(node)) {
    for (const [i, item] of node.items.entries()) {
      const found = pathAt(item, offset, [...path, i])
      if (found) return found
    }
  }
  if (!isMap(node)) return undefined
  for (const { key, value } of node.items) {
    if (!isScalar(key)) continue
    const here = [...path, String(key.value)]
    if (key.range?.[0] === offset) return here
    const found = pathAt(value, offset, here)
    if (found) return found
  }
  return undefined
}

/** The library's message without its end, which may quote the text. */
function explainSyntax(code: string, message: string): string {
  if (code === 'MULTIPLE_DOCS') return 'one document only: a line of `---` begins another'
  if (code === 'TAG_RESOLVE_FAILED') return 'tags (!name) have no meaning here'
  if (code === 'BAD_SCALAR_START') return 'a text that begins with this character must be quoted'
  if (code === 'BAD_DQ_ESCAPE') return 'no such escape in a double-quoted text; use single quotes'
  const sentence = message.split(/: |:$|["`']/)[0]!.trim()
  return `not valid YAML: ${sentence.charAt(0).toLowerCase()}${sentence.slice(1)}`
}
