import { setTimeout as sleep } from 'node:timers/promises'
import { elasticsearch } from '../../../sinks/elasticsearch/index.ts'
import type { Position } from '../../../src/core/source.ts'
import { batch, put } from '../../support/records.ts'

/*
 * A process that writes one document again and again, one version after the other, until it fails:
 * it then prints the code of the error and ends. Its parent stops it for a while.
 */
const { options, place } = JSON.parse(process.argv[2]!) as {
  options: object
  place: { pipeline: string; name: string; topic: string; partition: number }
}
const sink = elasticsearch.open(elasticsearch.options.parse(options), { ...place, say: () => {} })
try {
  await sink.resume('orders')
  for (let version = 1; version < 10_000; version++) {
    const position = String(version) as Position
    await sink.write(batch([put('1', { version }, { version })], position))
    await sink.commit({ source: 'orders', position, timestamp: 0 })
    if (version === 3) process.stdout.write('writing\n')
    await sleep(5)
  }
} catch (error) {
  process.stdout.write(`${(error as { code?: string }).code}\n`)
}
await sink.close()
