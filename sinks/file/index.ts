import type { SinkPlugin } from '../../src/core/plugin.ts'
import { check } from './check.ts'
import { type FileOptions, options, pathOf } from './options.ts'
import { FileSink } from './sink.ts'
import { StreamSink } from './stream.ts'

/** Newline-delimited JSON, to a file or to standard output. */
export const file: SinkPlugin<FileOptions> = {
  type: 'file',
  options,
  check,
  owns: (options, { topic }) =>
    options.path === '-' ? undefined : `the file ${pathOf(options, topic)}`,
  open(options, { topic, partition }) {
    if (options.path === '-') return new StreamSink(process.stdout, options.include)
    const path = pathOf(options, topic)
    return new FileSink(partition === 0 ? path : `${path}.${partition}`, options)
  },
}
