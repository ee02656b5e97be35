import { randomBytes } from 'node:crypto'
import { type Test, test } from 'tap'
import { elasticsearch } from '../../../sinks/elasticsearch/index.ts'
import { type ReadableTarget, readingContract } from '../../contract/reading.ts'
import { apply, source } from '../../contract/sink-steps.ts'
import { collect } from '../../support/collect.ts'
import { put, remove } from '../../support/records.ts'

/** What the reading side promises on a real server of either product. */
export function readingSuite(name: string, url: string): void {
  const make = async (t: Test): Promise<ReadableTarget> => {
    const index = `read-${randomBytes(6).toString('hex')}`
    const settings = { number_of_shards: 2, number_of_replicas: 0 }
    const options = elasticsearch.options.parse({ url, index, settings })
    const context = { pipeline: index, name: 's', topic: 'orders', partition: 0, say: () => {} }
    const sink = elasticsearch.open(options, context)
    const reading = elasticsearch.read!(options, context)
    t.teardown(async () => {
      await sink.close()
      await reading.close()
    })
    return { sink, reading }
  }
  readingContract(`${name}, read back,`, make)

  test(`${name} is read as of one moment, while it is written`, async (t) => {
    const { sink, reading } = await make(t)
    await sink.resume(source)
    const ids = Array.from({ length: 1_500 }, (_, i) => String(i))
    await apply(sink, [...ids.map((id) => put(id, { n: 1 }))])
    const documents = reading.all()[Symbol.asyncIterator]()
    const first = await documents.next()
    t.match(first.value, { version: 1n, doc: '{"n":1}' })
    await apply(sink, [
      ...ids.map((id) => remove(id, { version: 2 })),
      put('x', {}, { version: 2 }),
    ])
    const rest = await collect({ [Symbol.asyncIterator]: () => documents })
    t.equal(rest.length, 1_499)
    t.equal(await reading.count(), 1)
  })
}
