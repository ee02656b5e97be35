import { test } from 'tap'
import { RefusalGuard } from '../../src/core/refusal-guard.ts'
import type { Outcome } from '../../src/core/sink.ts'

const refused = (count: number, code = 'mapping'): Outcome[] =>
  Array.from({ length: count }, () => ({ code, reason: 'No number.' }))
const applied = (count: number): Outcome[] => Array.from({ length: count }, () => 'applied')

test('a few refusals pass, also when nothing else came', async (t) => {
  const guard = new RefusalGuard()
  guard.observe(refused(60))
  guard.observe(refused(40))
  t.notOk(guard.isShut)
})

test('many refusals pass among more that was taken', async (t) => {
  const guard = new RefusalGuard()
  for (let i = 0; i < 50; i++) guard.observe([...refused(50), ...applied(50)])
  t.notOk(guard.isShut)
})

test('a flood is stopped, and the most frequent code is named', async (t) => {
  const guard = new RefusalGuard()
  guard.observe(applied(300))
  guard.observe(refused(200))
  const flood = [...refused(20, 'other'), ...refused(200)]
  t.throws(() => guard.observe(flood), {
    code: 'TARGET_MISCONFIGURED',
    message: /^420 of the last 720 records were refused, most as mapping: No number\./,
  })
  t.ok(guard.isShut)
})

test('what was long ago does not count', async (t) => {
  const guard = new RefusalGuard()
  for (let i = 0; i < 100; i++) guard.observe(applied(100))
  for (let i = 0; i < 4; i++) guard.observe(refused(100))
  t.throws(() => {
    for (let i = 0; i < 3; i++) guard.observe(refused(100))
  })
})

test('it goes on once half of a batch is taken', async (t) => {
  const guard = new RefusalGuard()
  t.throws(() => guard.observe(refused(101)))
  t.throws(() => guard.observe([...refused(51), ...applied(50)]), { code: 'TARGET_MISCONFIGURED' })
  guard.observe([])
  t.ok(guard.isShut, 'nothing was tried')
  guard.observe([...refused(50), ...applied(50)])
  t.notOk(guard.isShut)
})

test('once lifted everything passes, until most is taken again', async (t) => {
  const guard = new RefusalGuard()
  t.throws(() => guard.observe(refused(200)))
  guard.lift()
  for (let i = 0; i < 30; i++) guard.observe(refused(100))
  t.notOk(guard.isShut)
  for (let i = 0; i < 20; i++) guard.observe(applied(100))
  t.throws(() => guard.observe(refused(2_000)), { code: 'TARGET_MISCONFIGURED' })
})
