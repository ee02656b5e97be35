import type { SinkContext } from '../../src/core/plugin.ts'
import { BulkWriter } from './bulk-writer.ts'
import { Cleaning } from './cleaning.ts'
import type { ElasticsearchClient } from './client.ts'
import { type Deletes, deletesOf, fieldsOfDeleted, liveOnly } from './deletes.ts'
import { IndexFamily } from './index-family.ts'
import type { Lease } from './lease.ts'
import type { Fields } from './mapping.ts'
import type { ElasticsearchOptions } from './options.ts'
import { isFamily, placement } from './placement.ts'
import { Shape } from './shape.ts'
import { TargetIndex, type TargetIndexOptions } from './target-index.ts'

/** What a sink writes with, all of it for one index or one generation of a family. */
export interface Parts {
  readonly index: string
  readonly target: TargetIndex | IndexFamily
  readonly shape: Shape
  readonly bulk: BulkWriter
  readonly cleaning: Cleaning
}

export interface Assembling {
  readonly client: ElasticsearchClient
  readonly lease: Lease
  readonly options: ElasticsearchOptions
  readonly context: SinkContext
}

export function assemble(index: string, { client, lease, options, context }: Assembling): Parts {
  const deletes = deletesOf(options, context)
  const bulk = new BulkWriter(client, index, { ...options, before: () => lease.assert() })
  const described = describe(index, options, context)
  const target = isFamily(index)
    ? new IndexFamily(client, described)
    : new TargetIndex(client, described)
  const shape = new Shape({
    ...{ deletes, fields: options.fields, placeOf: placement(index, options.routing) },
    mayLieIn: (name) => target.has(name),
  })
  const cleaned = { client, bulk, index, say: context.say }
  const cleaning = new Cleaning(cleaned, deletes, options.tombstonesForMs)
  return { index, target, shape, bulk, cleaning }
}

/** The index as the options ask for it. */
export function describe(
  index: string,
  options: ElasticsearchOptions,
  context: Pick<SinkContext, 'pipeline' | 'name' | 'shared'>,
): TargetIndexOptions {
  const { pipeline, name: sink } = context
  const deletes = deletesOf(options, context)
  return {
    ...{ index, dynamic: options.dynamic, settings: options.settings, template: options.template },
    ...{ gcDeletes: options.gcDeletes, mark: { pipeline, sink } },
    mapping: { ...fieldsOfDeleted(deletes), ...(options.mapping as Fields | undefined) },
    alias: options.alias === undefined ? {} : { [options.alias]: aliasOf(deletes) },
  }
}

function aliasOf(deletes: Deletes): object {
  const filter = liveOnly(deletes)
  return filter === undefined ? {} : { filter }
}
