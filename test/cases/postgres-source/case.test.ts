import t from 'tap'
import { readCase } from './case.ts'
import { missingAbility } from './requirements.ts'

const good = {
  ...{ name: 'n', group: 'g', phase: 'stream', ddl: [], dml: [], config: {} },
  expect: { compare: 'subset', records: [{ op: 'c', after: { v: 1 } }] },
}

/** What is not understood of an entry. */
function faults(entry: unknown): readonly string[] {
  const read = readCase(entry, 3)
  return 'faults' in read ? read.faults : []
}

t.test('an entry is read', async (t) => {
  t.match(readCase(good, 0), { name: 'n', group: 'g', parsed: { phase: 'stream' } })
})

t.test('what nobody would check is a fault', async (t) => {
  t.match(faults({ ...good, expect: { ...good.expect, moon: 'full' } }), [/moon/])
  t.match(faults({ ...good, expect: { ...good.expect, compare: 'loosely' } }), [/compare/])
  t.match(faults({ ...good, phase: 'later' }), [/phase/])
  t.match(faults({ ...good, requires: { cpu: 2 } }), [/cpu/])
  t.match(faults({ ...good, expect: { compare: 'subset', records: [{ colour: 1 }] } }), [/colour/])
  t.match(readCase(null, 3), { name: 'entry 3' })
})

t.test('a case is run where the server has what it requires', async (t) => {
  const server = { majorVersion: 18, extensions: new Set(['hstore']) }
  t.equal(missingAbility(undefined, server), undefined)
  t.equal(missingAbility({ extensions: ['hstore'], pg: '>=14' }, server), undefined)
  t.match(missingAbility({ extensions: ['hstore', 'vector'] }, server), /no extension vector/)
  t.match(missingAbility({ pg: '>=12 <18' }, server), /needs PostgreSQL >=12 <18/)
  t.throws(() => missingAbility({ pg: 'new' }, server), { message: /'new' is not understood/ })
})
