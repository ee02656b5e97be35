import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { useKafka } from '../../support/servers/use.ts'
import { openStorm, type StormResult } from './stream-storm.ts'

const { bootstrap, prefix } = await useKafka(t)

for (const tasks of [1, 4]) {
  t.test(`instances are killed, wiped and started again; tasks: ${tasks}`, async (t) => {
    const own = `${prefix}s${tasks}`
    const storm = await openStorm(t, { bootstrap, prefix: own, partitions: 3, tasks })
    storm.start('one')
    storm.start('two')
    await storm.more(3_000)
    await storm.kill('one')
    await sleep(8_000)
    await storm.more(2_000)
    storm.wipe('one')
    storm.start('one')
    await storm.more(5_000)
    await storm.kill('two')
    await sleep(1_000)
    storm.start('two')
    await storm.more(5_000)
    tellsAll(t, await storm.end())
  })
}

t.test('a broker of three is killed, and an instance', async (t) => {
  const { cluster, ...three } = await useKafka(t, { brokers: 3 })
  const storm = await openStorm(t, { ...three, partitions: 3, tasks: 4 })
  storm.start('one')
  storm.start('two')
  await storm.more(3_000)
  await cluster!.kill(2)
  await storm.more(3_000)
  await storm.kill('one')
  await sleep(8_000)
  await storm.more(2_000)
  storm.start('one')
  await cluster!.restart(2)
  await storm.more(5_000)
  tellsAll(t, await storm.end())
})

/** None is lost, and none told twice. */
function tellsAll(t: Test, { written, told, names, gapMs }: StormResult): void {
  for (const [page, count] of written) {
    const wanted = Array.from({ length: count }, (_, i) => i + 1)
    t.strictSame(told.get(page), wanted, `counts of ${page}`)
  }
  for (const [wanted, last] of names) t.equal(last, wanted)
  const all = [...written.values()].reduce((sum, count) => sum + count, 0)
  t.comment(`${all} clicks, at most ${(gapMs / 1000).toFixed(1)} s without a count of a page`)
}
