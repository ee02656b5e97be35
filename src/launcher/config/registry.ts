import { postgres } from '../../../connectors/postgres/index.ts'
import { elasticsearch } from '../../../sinks/elasticsearch/index.ts'
import { file } from '../../../sinks/file/index.ts'
import { postgresSink } from '../../../sinks/postgres/index.ts'
import { redis } from '../../../sinks/redis/index.ts'
import { sqlite } from '../../../sinks/sqlite/index.ts'
import type { ConnectorPlugin, SinkPlugin } from '../../core/plugin.ts'

/** What the configuration can name: a connector or a sink that is not listed does not exist. */
export interface Registry {
  readonly connectors: readonly ConnectorPlugin<unknown>[]
  readonly sinks: readonly SinkPlugin<unknown>[]
}

export const registry: Registry = {
  connectors: [postgres],
  sinks: [elasticsearch, redis, sqlite, postgresSink, file],
}
