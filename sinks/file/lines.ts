/*
 * One line of JSON per record. Keys and rows pass through as bytes, so that no number loses a
 * digit.
 *
 *   document: {"topic":…,"key":…,"op":…,"version":…,"timestamp":…,"after":…}
 *   envelope: {"topic":…,"key":…,"version":…,"timestamp":…,"change":…}
 */
import { ByteWriter } from '../../src/core/byte-writer.ts'
import { readChange } from '../../src/core/envelope.ts'
import type { LogRecord } from '../../src/core/record.ts'
import type { Outcome } from '../../src/core/sink.ts'
import type { FileOptions } from './options.ts'

export interface Lines {
  readonly bytes: Uint8Array
  readonly outcomes: readonly Outcome[]
}

/** Renders a batch. A record that is no change is refused, and leaves no line. */
export function renderLines(records: readonly LogRecord[], include: FileOptions['include']): Lines {
  const writer = new ByteWriter()
  writer.begin()
  const outcomes = records.map((record): Outcome => {
    try {
      const fields = include === 'document' ? documentFields(record) : changeFields(record)
      writeLine(writer, record, fields)
      return 'applied'
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error
      return { code: 'not_a_change', reason: `The record cannot be read: ${error.message}.` }
    }
  })
  return { bytes: writer.take(), outcomes }
}

interface Fields {
  readonly op: string | undefined
  readonly name: string
  readonly body: Uint8Array | null
}

function documentFields(record: LogRecord): Fields {
  const { op, after } = readChange(record)
  return { op, name: 'after', body: after }
}

function changeFields({ value }: LogRecord): Fields {
  return { op: undefined, name: 'change', body: value }
}

function writeLine(writer: ByteWriter, record: LogRecord, { op, name, body }: Fields): void {
  const { topic, key, version, timestamp } = record
  writer.utf8(`{"topic":${JSON.stringify(topic)},"key":`)
  writeJson(writer, key)
  if (op !== undefined) writer.ascii(`,"op":"${op}"`)
  writer.ascii(`,"version":${version},"timestamp":${timestamp},"${name}":`)
  writeJson(writer, body)
  writer.ascii('}\n')
}

/** A line break between JSON's tokens becomes a space; inside a string none can stand. */
function writeJson(writer: ByteWriter, json: Uint8Array | null): void {
  if (json === null) writer.ascii('null')
  else if (!json.includes(0x0a)) writer.copy(json)
  else writer.copy(json.map((byte) => (byte === 0x0a ? 0x20 : byte)))
}
