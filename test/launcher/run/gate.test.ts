import { setTimeout as sleep } from 'node:timers/promises'
import { test } from 'tap'
import { Meter } from '../../../src/core/meter.ts'
import type { LogRecord } from '../../../src/core/record.ts'
import type { Sink } from '../../../src/core/sink.ts'
import type { Source } from '../../../src/core/source.ts'
import { Gate } from '../../../src/launcher/run/gate.ts'

const nobody = {
  sink: {} as Sink<LogRecord>,
  source: {} as Source<LogRecord>,
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
  t.throws(() => gate.order(async () => {}), { message: /^it has ended/ })
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

function begin() {
  const gate = new Gate()
  const meter = new Meter()
  const events: string[] = []
  const ends = new AbortController()
  const work = async (signal: AbortSignal) => {
    events.push('begin')
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve()
      signal.addEventListener('abort', () => resolve(), { once: true })
    })
    events.push('end')
  }
  const running = gate.run({ ...nobody, meter, work }, ends.signal)
  return {
    ...{ gate, meter, events },
    async stop() {
      ends.abort()
      await running
    },
  }
}
