import { basename, dirname, join, normalize } from 'node:path'

/**
 * The rules that `test/tidy.test.ts` holds the code to. Each gives sentences, one for each fault.
 */

/** Who may import whom. A part may always import itself; what is not listed here is forbidden. */
const layers: Readonly<Record<string, readonly string[]>> = {
  'src/core': [],
  'src/log': ['src/core'],
  'src/streams': ['src/core'],
  'src/cache': ['src/core'],
  'src/console': ['src/core'],
  'src/contract': ['src/core'],
  connectors: ['src/core'],
  sinks: ['src/core'],
  'src/launcher': ['src/core', 'src/log', 'src/streams', 'src/console', 'connectors', 'sinks'],
}

export const limits = { lines: 400, columns: 100 }

// Written so that this file does not contain what it forbids.
const banned: readonly RegExp[] = [
  /\bTO[D]O\b/,
  /\bFIX[M]E\b/,
  /\bas an[y]\b/,
  /: an[y](?=\s*([=;,)>\]|&{[]|$))/m, // Not the word in a sentence.
  /\bexport[ ]default\b/,
  /@ts-[i]gnore/,
]

const machinePath = /(?<![\w.}~-])\/(?:work|root)(?![\w-])|\/home\/\w+/

/**
 * "x must not import y", for each import that leaves its layer. Imports of types count like others.
 */
export function layerFaults(path: string, text: string): string[] {
  const layer = layerOf(path)
  if (layer === undefined) return isEntry(path) ? [] : [`${path} belongs to no layer`]
  return relativeImports(text)
    .map((target) => normalize(join(dirname(path), target)))
    .filter((target) => !mayImport(path, target))
    .map((target) => `${path} must not import ${target}`)
}

/** What a module imports or re-exports from files of this repository, statically or dynamically. */
export function relativeImports(text: string): string[] {
  const patterns = [
    /^(?:import|export)\b[^'"`]*\bfrom\s*['"]([^'"]+)['"]/gm,
    /^import\s*['"]([^'"]+)['"]/gm,
    /\bimport\(\s*['"`]([^'"`]+)['"`]/g,
  ]
  return patterns
    .flatMap((pattern) => [...text.matchAll(pattern)])
    .map(([, target]) => target!)
    .filter((target) => target.startsWith('.'))
}

/** Files of at most 400 lines of at most 100 columns. */
export function lengthFaults(path: string, text: string): string[] {
  const lines = text.replace(/\n$/, '').split('\n')
  const wide = lines.flatMap((line, index) =>
    isWide(line) ? [`${path}:${index + 1} is wider than ${limits.columns} columns`] : [],
  )
  return [...(lines.length > limits.lines ? [`${path} has ${lines.length} lines`] : []), ...wide]
}

/** A literal in code may be as long as what it says; the formatter does not break it either. */
function isWide(line: string): boolean {
  if (line.length <= limits.columns) return false
  if (/^\s*(\/\/|\/?\*)/.test(line)) return true
  const literals = /'(\\.|[^'\\])*'|"(\\.|[^"\\])*"|`.*`|^ *\/\^.*\$\/[a-z]*,?$/g
  return line.replace(literals, "''").length > limits.columns
}

/** Nothing is left half done, and nothing steps around the type checker. */
export function bannedWords(path: string, text: string): string[] {
  return banned
    .map((pattern) => pattern.exec(text)?.[0])
    .filter((found) => found !== undefined)
    .map((found) => `${path} contains "${found}"`)
}

export function nameFaults(path: string): string[] {
  const kebab = /^[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9-]+)*\.ts$/.test(basename(path))
  return kebab ? [] : [`${path} is not named in kebab-case`]
}

/** What holds on one machine only must not be written down. */
export function machineFaults(path: string, text: string): string[] {
  return text
    .split('\n')
    .flatMap((line, index) => (machinePath.test(line) ? [`${path}:${index + 1}`] : []))
    .map((place) => `${place} names a folder of one machine`)
}

/** A lock file that names a host makes everybody fetch from there, also those who use a mirror. */
export function lockFaults(lock: string): string[] {
  const resolved = /"resolved":\s*"(https?:\/\/[^/"]+)/.exec(lock)
  return resolved === null ? [] : [`package-lock.json fetches from ${resolved[1]}`]
}

/** Compares the table `| code | kind | what to do |` with the codes that exist. */
export function errorTableFaults(
  markdown: string,
  errors: Readonly<Record<string, { readonly kind: string }>>,
): string[] {
  const rows = new Map<string, readonly string[]>()
  for (const [, code, kind, advice] of markdown.matchAll(/^\| `(\w+)` \| (\w+) \| (.*) \|$/gm)) {
    rows.set(code!, [kind!, advice!.trim()])
  }
  const missing = Object.entries(errors).flatMap(([code, { kind }]) => {
    const [documented, advice] = rows.get(code) ?? []
    if (documented === undefined) return [`${code} is not documented`]
    if (documented !== kind) return [`${code} is ${kind}, but documented as ${documented}`]
    return advice === '' ? [`${code} is documented without what to do`] : []
  })
  const unknown = [...rows.keys()].filter((code) => !Object.hasOwn(errors, code))
  return [...missing, ...unknown.map((code) => `${code} is documented, but does not exist`)]
}

function mayImport(from: string, to: string): boolean {
  const source = layerOf(from)!
  const target = layerOf(to)
  if (target === undefined) return false
  if (source !== target) return layers[source]!.includes(target)
  return source.startsWith('src/') || partOf(from) === partOf(to) // Redis may not import files.
}

function layerOf(path: string): string | undefined {
  return Object.keys(layers).find((name) => path.startsWith(`${name}/`))
}

/** What the package exports lies directly under src/, and may bring together whatever it wants. */
function isEntry(path: string): boolean {
  return dirname(path) === 'src'
}

function partOf(path: string): string {
  return path.split('/').slice(0, 2).join('/')
}
