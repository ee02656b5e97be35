import type { LogRecord } from '../../core/record.ts'
import { headersOf, type Letter } from '../../log/letter.ts'

/** One line for people: what it is, of whom, and why. No row. */
export function showLetterRow(letter: Letter): string {
  const { id, state, sink, attempts, lastAt, code, reason, note } = letter
  const done = state === 'open' ? '' : ` [${state}${note === null ? '' : `: ${note}`}]`
  const times = attempts === 1 ? '' : ` (${attempts} times)`
  return `${id}  ${nameOf(sink)}  ${placeOf(letter)}  ${time(lastAt)}${times}  ${code}: ${reason}${done}`
}

/** All that is known of a letter, as JSON. No row, but the key. */
export function letterAsJson(letter: Letter): string {
  const { offset, firstAt, lastAt, at: _, ...rest } = letter
  return JSON.stringify({
    ...rest,
    offset: String(offset),
    firstAt: time(firstAt),
    lastAt: time(lastAt),
  })
}

/** Everything, with the record. */
export function showLetter(letter: Letter, record: LogRecord | undefined): string {
  const { id, state, note, key, code, reason, attempts, firstAt, lastAt } = letter
  const { sink, version, stage } = letter
  return [
    `letter   ${id} (${state}${note === null ? '' : `: ${note}`})`,
    `sink     ${sink}`,
    `record   ${placeOf(letter)}, version ${version}`,
    `refused  ${attempts === 1 ? 'once' : `${attempts} times`}, first ${time(firstAt)}, last ${time(lastAt)}`,
    `stage    ${stage}`,
    `code     ${code}`,
    `reason   ${reason}`,
    `key      ${key ?? '(none)'}`,
    `value    ${record === undefined ? '(no longer in the log)' : text(record.value)}`,
  ].join('\n')
}

/**
 * One line of JSON: key and value as they were, as text, and in base64 what is no UTF-8. The
 * headers are those of the dead-letter topic, with the attempts up to now.
 */
export function exportLetter(letter: Letter, record: LogRecord | undefined): string {
  const { id, state, note, topic, partition, offset } = letter
  return JSON.stringify({
    ...{ id, state, note, topic, partition, offset: String(offset) },
    ...bytes('key', record?.key ?? null),
    ...bytes('value', record?.value ?? null),
    headers: { ...record?.headers, ...headersOf(letter) },
  })
}

function bytes(name: string, content: Uint8Array | null): Readonly<Record<string, string | null>> {
  if (content === null) return { [name]: null }
  try {
    return { [name]: strict.decode(content) }
  } catch {
    return { [`${name}Base64`]: Buffer.from(content).toString('base64') }
  }
}

const strict = new TextDecoder('utf-8', { fatal: true })

function text(value: Uint8Array | null): string {
  return value === null ? '(tombstone)' : Buffer.from(value).toString()
}

/** The number of a partition is told where it is not the only one. */
function placeOf({ topic, partition, offset }: Letter): string {
  return partition === 0 ? `${topic}:${offset}` : `${topic}:${partition}:${offset}`
}

function time(at: number): string {
  return new Date(at).toISOString()
}

function nameOf(group: string): string {
  return group.split('.')[1] ?? group
}
