import { createHash } from 'node:crypto'
import { type CheckpointPlace, checkpointKey } from '../../src/core/checkpoint.ts'
import { type IdOf, idTemplate, keyId } from '../../src/core/document-id.ts'

/** How a record's key becomes a Redis key. */
export interface KeyTemplate {
  readonly template: string
  /** What every key begins with. */
  readonly prefix: string
  readonly keyOf: IdOf
}

/**
 * Reads a template such as `order:{id}`; `order:{}` takes the whole key, whatever its columns.
 * Throws SyntaxError if two keys could share a Redis key, or a key of ours be taken for another's:
 * the text before the first column is what keeps a sink to its own keys.
 */
export function keyTemplate(template: string): KeyTemplate {
  const head = /^(?:\{\{|\}\}|[^{}])*/.exec(template)![0]
  const prefix = head.replaceAll('{{', '{').replaceAll('}}', '}')
  const keyOf: IdOf =
    template.slice(head.length) === '{}' ? (key) => prefix + keyId(key) : idTemplate(template)
  if (prefix === '') {
    throw new SyntaxError(`the template "${template}" must begin with a text, such as "order:"`)
  }
  if (prefix.startsWith(reserved) || reserved.startsWith(prefix)) {
    throw new SyntaxError(`the template "${template}" would reach keys of millrace's own`)
  }
  return { template, prefix, keyOf }
}

/** The template of a sink that names none: `orders:{}` for the topic `orders`. */
export function defaultTemplate(topic: string): string {
  return `${topic.replaceAll('{', '{{').replaceAll('}', '}}')}:{}`
}

const reserved = 'millrace:'
const stampHead = 'millrace:v'

/** Where the stamp of a document lies: in the same cluster slot. */
export function stampKey(key: string): string {
  return hasHashTag(key) ? `${stampHead}:${key}` : `${stampHead}{${key}}`
}

/** The document's key, of its stamp's. */
export function documentKey(stampKey: string): string {
  return stampKey[stampHead.length] === ':'
    ? stampKey.slice(stampHead.length + 1)
    : stampKey.slice(stampHead.length + 1, -1)
}

/** Matches, in SCAN, the stamps of all documents whose key begins with `prefix`. */
export function stampPattern(prefix: string): string {
  return `${stampHead}[:{]${prefix.replaceAll(/[*?[\]\\^]/g, '\\$&')}*`
}

/**
 * A cluster places a key by what stands between its first "{" and the next "}", if anything does.
 */
function hasHashTag(key: string): boolean {
  const open = key.indexOf('{')
  return open >= 0 && key.indexOf('}', open + 1) > open + 1
}

/** Where one sink, reading one partition, keeps what is not a document. */
export interface Place {
  readonly checkpoint: string
  readonly marker: string
  /** Its digest, on every stamp. */
  readonly owner: string
}

export function placeOf(context: CheckpointPlace): Place {
  const place = checkpointKey(context)
  return {
    checkpoint: `${reserved}{${place}}:checkpoint`,
    marker: `${reserved}{${place}}:marker`,
    owner: createHash('sha256').update(place).digest('base64url').slice(0, 6),
  }
}
