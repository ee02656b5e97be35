import { setTimeout as sleep } from 'node:timers/promises'
import { test } from 'tap'
import { MillraceError } from '../../../src/core/errors.ts'
import { Meter } from '../../../src/core/meter.ts'
import type { LogRecord } from '../../../src/core/record.ts'
import type { Sink } from '../../../src/core/sink.ts'
import type { Source } from '../../../src/core/source.ts'
import { Gate } from '../../../src/launcher/run/gate.ts'

const nobody = {
  sink: {} as Sink<LogRecord>,
  source: {} as Source<LogRecord>,
  partition: 0,
}

test('work goes on until it is aborted, and begins again after an order', async (t) => {
  const { gate, events, stop } = begin()
  await gate.order(async () => {
    events.push('order')
  })
  await stop()
  t.same(events, ['begin', 'end', 'order', 'begin', 'end'])
})

test('orders of a paused sink are carried out, and it stays paused', async (t) => {
  const { gate, events, meter, stop } = begin()
  gate.pause('noon')
  await gate.order(async () => {
    events.push('order')
  })
  await sleep(5)
  t.match(meter, { state: 'paused', reason: /^paused by an operator at noon;/ })
  gate.open()
  await sleep(5)
  await stop()
  t.same(events, ['order', 'begin', 'end'])
  t.equal(meter.state, 'stopped')
})

test('an order that fails is told to whoever gave it, and the work begins again', async (t) => {
  const { gate, events, stop } = begin()
  const order = gate.order(async () => {
    throw new Error('no server')
  })
  await t.rejects(order, { message: 'no server' })
  await sleep(5)
  await stop()
  t.same(events, ['begin', 'end', 'begin', 'end'])
})

test('what has ended takes no orders', async (t) => {
  const { gate, stop } = begin()
  await stop()
  await t.rejects(
    gate.order(async () => {}),
    { message: /^it has ended/ },
  )
})

test('a failure of the work ends it, and reaches those who wait', async (t) => {
  const gate = new Gate()
  const work = async () => {
    await sleep(5)
    throw new Error('fenced')
  }
  const running = gate.run({ ...nobody, meter: new Meter(), work }, new AbortController().signal)
  const order = gate.order(async () => {})
  await t.rejects(running, { message: 'fenced' })
  await t.resolves(order.catch(() => {}))
})

test('partitions stop and go on together, and each gets the order', async (t) => {
  const { gate, events, stop } = begin([0, 1])
  const partitions: number[] = []
  await gate.order(async ({ partition }) => void partitions.push(partition))
  t.same(partitions.sort(), [0, 1])
  gate.pause('noon')
  await sleep(5)
  const open = events.filter((event) => event === 'begin').length
  t.equal(open, events.filter((event) => event === 'end').length, 'nothing is read while it pauses')
  gate.open()
  await sleep(5)
  await stop()
  t.equal(events.filter((event) => event === 'begin').length, open + 2)
})

test('what is to be done once is done while all partitions stand still', async (t) => {
  const { gate, events, stop } = begin([0, 1, 2])
  await gate.orderOnce(async () => {
    const at = (name: string) => events.filter((event) => event === name).length
    events.push(`once: ${at('begin') - at('end')} at work`)
  })
  await sleep(5)
  await stop()
  t.same(
    events.filter((event) => event.startsWith('once')),
    ['once: 0 at work'],
  )
})

test('all stand still when records are gone that one has not read, until an order', async (t) => {
  let isMissed = true
  const { gate, events, meter, stop } = begin([0, 1], async () => {
    if (isMissed) throw new MillraceError('LOG_GAP', 'Deletes may be gone.')
  })
  await sleep(5)
  t.match(meter, { state: 'failed', reason: /^LOG_GAP: Deletes may be gone/ })
  t.same(events.toSorted(), ['begin', 'begin', 'end', 'end'])
  isMissed = false
  await gate.order(async () => void events.push('refill'))
  await sleep(5)
  await stop()
  t.equal(events.filter((event) => event === 'refill').length, 2)
  t.equal(events.lastIndexOf('refill') < events.lastIndexOf('begin'), true, 'it goes on')
})

/** A gate whose partitions are at work; `fails` is what the first does before it waits. */
function begin(partitions: readonly number[] = [0], fails = async () => {}) {
  const gate = new Gate()
  const meter = new Meter()
  const events: string[] = []
  const ends = new AbortController()
  const work = (partition: number) => async (signal: AbortSignal) => {
    events.push('begin')
    try {
      if (partition === 0) await fails()
      await new Promise<void>((resolve) => {
        if (signal.aborted) resolve()
        signal.addEventListener('abort', () => resolve(), { once: true })
      })
    } finally {
      events.push('end')
    }
  }
  const running = partitions.map((partition) => {
    return gate.run({ ...nobody, partition, meter, work: work(partition) }, ends.signal)
  })
  return {
    ...{ gate, meter, events },
    async stop() {
      ends.abort()
      await Promise.all(running)
    },
  }
}
