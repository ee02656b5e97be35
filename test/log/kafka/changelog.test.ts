import t from 'tap'
import type { Task } from '../../../src/core/log.ts'
import type { Position } from '../../../src/core/source.ts'
import { LocalState } from '../../../src/log/kafka/local-state.ts'
import { useKafka } from '../../support/servers/use.ts'
import { append, batchOf, change, firstAssignment } from './change.ts'
import { directoryOf, openLogIn } from './open.ts'

const { bootstrap, prefix } = await useKafka(t)

/** Opens the task of a group as whoever is assigned its partition. */
async function openTask(directory: string, name: string) {
  const log = openLogIn(directory, bootstrap, prefix)
  const found = await firstAssignment(log, [`${prefix}.in`], `${prefix}.${name}`)
  const task = found.task(`${prefix}.${name}`)
  await task.resume('s')
  return { log, task }
}

async function commit(task: Task, place: number): Promise<void> {
  const topics = { [`${prefix}.in`]: ['', place] }
  const position = JSON.stringify({ v: 1, cluster: '', topics }) as Position
  await task.write(batchOf([]))
  await task.commit({ source: 's', position, timestamp: 0 })
}

const text = (task: Task, key: string) => {
  const value = task.store.get(Buffer.from(key))
  return value && Buffer.from(value).toString()
}

t.before(async () => {
  const log = openLogIn(directoryOf(t), bootstrap, prefix)
  const writer = log.writer(`${prefix}.w`)
  await writer.resume('s')
  await append(writer, [change(`${prefix}.in`, 0)], 'p')
  await log.close()
})

for (const isOld of [false, true]) {
  const what = isOld ? 'for longer than deletes are kept is made anew' : 'for a while is read on'
  t.test(`a copy of state that was away ${what}`, async (t) => {
    const name = isOld ? 'old' : 'young'
    const [here, there] = [directoryOf(t), directoryOf(t)]
    const first = await openTask(here, name)
    first.task.store.put(Buffer.from('a'), Buffer.from('1'))
    await commit(first.task, 0)
    await first.log.close()
    // What a compacted topic says nothing of any more.
    const local = new LocalState(here)
    const task = `${prefix}.${name}/0`
    const { at: _, ...copy } = local.copyOf(task)
    const at = Date.now() - (isOld ? 13 : 1) * 3_600_000
    const key = Buffer.concat([Buffer.from([0, 0, 0, copy.id]), Buffer.from('ghost')])
    local.change(task, { ...copy, at }, () => void local.state.put(key, Buffer.from('1')))
    await local.close()
    const second = await openTask(there, name)
    second.task.store.put(Buffer.from('b'), Buffer.from('2'))
    await commit(second.task, 1)
    await second.log.close()
    const third = await openTask(here, name)
    t.same([text(third.task, 'a'), text(third.task, 'b')], ['1', '2'])
    t.equal(text(third.task, 'ghost'), isOld ? undefined : '1')
    await third.log.close()
  })
}

t.test('state that begins anew keeps nothing of what was, here and elsewhere', async (t) => {
  const [here, there] = [directoryOf(t), directoryOf(t)]
  const first = await openTask(here, 'anew')
  for (let i = 0; i < 12_000; i++) first.task.store.put(Buffer.from(`k${i}`), Buffer.from('1'))
  await commit(first.task, 0)
  await first.task.clear('s')
  t.same([...first.task.store.scan(Buffer.alloc(0))].length, 0)
  first.task.store.put(Buffer.from('new'), Buffer.from('2'))
  await commit(first.task, 0)
  await first.log.close()
  const second = await openTask(there, 'anew')
  t.same([...second.task.store.scan(Buffer.alloc(0))].length, 1)
  t.equal(text(second.task, 'new'), '2')
  await second.log.close()
})
