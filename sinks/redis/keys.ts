import { createHash } from 'node:crypto'
import { type CheckpointPlace, checkpointKey } from '../../src/core/checkpoint.ts'
import { companionKey, keyOfCompanion, stampHead } from '../../src/core/companion-key.ts'
import { type IdOf, idTemplate, keyId } from '../../src/core/document-id.ts'
import { ownerLength } from './stamp.ts'

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
  const prefix = literalHead(template)
  const rest = template.slice(headOf(template).length)
  const keyOf: IdOf = rest === '{}' ? (key) => prefix + keyId(key) : idTemplate(template)
  assertConfined(template)
  return { template, prefix, keyOf }
}

/** Throws SyntaxError unless a template begins with a text that no key of our own begins with. */
export function assertConfined(template: string): void {
  const prefix = literalHead(template)
  if (prefix === '') {
    throw new SyntaxError(`the template "${template}" must begin with a text, such as "order:"`)
  }
  if (prefix.startsWith(reserved) || reserved.startsWith(prefix)) {
    throw new SyntaxError(`the template "${template}" would reach keys of millrace's own`)
  }
}

/** What a template's texts begin with, whatever fills it. */
export function literalHead(template: string): string {
  return headOf(template).replaceAll('{{', '{').replaceAll('}}', '}')
}

function headOf(template: string): string {
  return /^(?:\{\{|\}\}|[^{}])*/.exec(template)![0]
}

/** The template of a sink that names none: `orders:{}` for the topic `orders`. */
export function defaultTemplate(topic: string): string {
  return `${topic.replaceAll('{', '{{').replaceAll('}', '}}')}:{}`
}

const reserved = 'millrace:'

/** Where the stamp of a key lies: in the same cluster slot. */
export function stampKey(key: string): string {
  return companionKey(stampHead, key)
}

/** The key, of its stamp's. */
export function documentKey(stampKey: string): string {
  return keyOfCompanion(stampHead, stampKey)
}

/** Matches, in SCAN, the stamps of all keys that begin with `prefix`. */
export function stampPattern(prefix: string): string {
  return `${stampHead}[:{]${escapePattern(prefix)}*`
}

const memberHead = 'millrace:m'

/**
 * Where the stamp of a set's member lies: `millrace:m8{order:42}member`, with the length of the
 * set's key, or `millrace:m10:order:{42}member` if the key has a hash tag itself.
 */
export function memberStampKey(key: string, member: string): string {
  return companionKey(`${memberHead}${key.length}`, key) + member
}

/** The set's key and the member, of the member's stamp. */
export function memberOf(stampKey: string): readonly [key: string, member: string] {
  const [head, digits] = /^millrace:m(\d+)/.exec(stampKey) as unknown as [string, string]
  const start = head.length + 1
  const end = start + Number(digits)
  const closing = stampKey[head.length] === ':' ? 0 : 1
  return [stampKey.slice(start, end), stampKey.slice(end + closing)]
}

/** Matches, in SCAN, the stamps of members of all sets whose key begins with `prefix`. */
export function memberPattern(prefix: string): string {
  return `${memberHead}[0-9]*[:{]${escapePattern(prefix)}*`
}

function escapePattern(text: string): string {
  return text.replaceAll(/[*?[\]\\^]/g, '\\$&')
}

/** Where one sink, reading one partition, keeps what is not a document. */
export interface Place {
  readonly checkpoint: string
  readonly marker: string
  /** Its digest, on every stamp. */
  readonly owner: string
  /** A marker in the cluster slot that a hash tag leads to. */
  readonly shardMarker: (tag: string) => string
}

export function placeOf(context: CheckpointPlace): Place {
  const place = checkpointKey(context)
  return {
    checkpoint: `${reserved}{${place}}:checkpoint`,
    marker: `${reserved}{${place}}:marker`,
    owner: createHash('sha256').update(place).digest('base64url').slice(0, ownerLength),
    shardMarker: (tag) => `${reserved}{${tag}}:shard:${place}`,
  }
}
