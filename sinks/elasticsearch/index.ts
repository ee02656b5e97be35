import type { SinkPlugin } from '../../src/core/plugin.ts'
import { check } from './check.ts'
import { type ElasticsearchOptions, elasticsearchOptions } from './options.ts'
import { ElasticsearchReading } from './reading.ts'
import { ElasticsearchReindexing } from './reindex.ts'
import { ElasticsearchSink } from './sink.ts'

/** Documents in Elasticsearch or OpenSearch, one per key. */
export const elasticsearch: SinkPlugin<ElasticsearchOptions> = {
  type: 'elasticsearch',
  options: elasticsearchOptions,
  check,
  open: (options, context) => new ElasticsearchSink(options, context),
  read: (options, context) => new ElasticsearchReading(options, context),
  reindex: (options, context) => new ElasticsearchReindexing(options, context),
}
