import type { SinkPlugin } from '../../src/core/plugin.ts'
import { check } from './check.ts'
import { type FileOptions, options } from './options.ts'
import { FileSink } from './sink.ts'
import { StreamSink } from './stream.ts'

/** Newline-delimited JSON, to a file or to standard output. */
export const file: SinkPlugin<FileOptions> = {
  type: 'file',
  options,
  check,
  open(options, { partition }) {
    if (options.path === '-') return new StreamSink(process.stdout, options.include)
    return new FileSink(partition === 0 ? options.path : `${options.path}.${partition}`, options)
  },
}
