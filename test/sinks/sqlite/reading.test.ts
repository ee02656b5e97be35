import { join } from 'node:path'
import { sqlite } from '../../../sinks/sqlite/index.ts'
import { readingContract } from '../../contract/reading.ts'

const context = { pipeline: 'shop', name: 'lookup', topic: 'orders', partition: 0, say: () => {} }

for (const [name, more] of [
  ['sqlite', {}],
  ['sqlite with a template', { id: 'order:{id}' }],
] as const) {
  readingContract(`${name}, read back,`, async (t) => {
    const path = join(t.testdir({}), 'shop.db')
    const options = sqlite.options.parse({ type: 'sqlite', path, ...more })
    const sink = sqlite.open(options, context)
    const reading = sqlite.read!(options, context)
    t.teardown(async () => {
      await sink.close()
      await reading.close()
    })
    return { sink, reading }
  })
}
