import { setTimeout as sleep } from 'node:timers/promises'
import { Admin } from '@platformatic/kafka'
import t from 'tap'
import type { NewRecord } from '../../../src/core/record.ts'
import type { Position } from '../../../src/core/source.ts'
import { useKafka } from '../../support/servers/use.ts'
import { append, change, take } from './change.ts'
import { openLog } from './open.ts'

const { bootstrap, prefix } = await useKafka(t, { extra: ['log.cleaner.backoff.ms=1000'] })

t.test('a reader that was away while the broker dropped a delete is told so', async (t) => {
  const topic = `${prefix}.compacted`
  const admin = new Admin({ clientId: 'test', bootstrapBrokers: bootstrap.split(',') })
  const settings = {
    'cleanup.policy': 'compact',
    'delete.retention.ms': '1000',
    'segment.ms': '500',
    'min.cleanable.dirty.ratio': '0.001',
  }
  const configs = Object.entries(settings).map(([name, value]) => ({ name, value }))
  await admin.createTopics({ topics: [topic], partitions: 1, replicas: 1, configs })
  const log = openLog(bootstrap, prefix)
  const writer = log.writer(`${prefix}.w`)
  await writer.resume('s')
  // Segments are closed by the times of records.
  const write = (n: number, parts: Partial<NewRecord> = {}) => {
    const record = change(topic, n, { timestamp: Date.now(), version: BigInt(n + 1), ...parts })
    return append(writer, [record], `p${n}`)
  }
  await write(0)
  const source = log.reader([topic], 'r')
  let position: Position | undefined
  for await (const batch of source.read(undefined, new AbortController().signal)) {
    position = batch.position
    break
  }
  const leftAt = Date.now()
  await write(1, { key: change(topic, 0).key, value: null })
  const inspection = log.inspect()
  const holdsKey = async () => {
    for await (const { key } of inspection.scan(topic).more()) {
      if (String(key) === '{"id":0}') return true
    }
    return false
  }
  for (let n = 2; await holdsKey(); n++) {
    await sleep(700)
    await write(n)
  }
  t.pass('the broker has dropped the delete')
  await sleep(Math.max(0, leftAt + 16_000 - Date.now()))
  await t.rejects(take(source, 1, position), { code: 'LOG_GAP', message: /some may be gone/ })
  await inspection.close()
  await log.close()
  await admin.close()
})
