import { test } from 'tap'
import type { LogRecord } from '../../../src/core/record.ts'
import { usePostgres } from '../../support/servers/use.ts'
import { compareViews } from './campaign.ts'
import { differences, type Sabotage } from './differences.ts'
import { play } from './round.ts'

test('at every commit a view is what SQL says at that commit', async (t) => {
  const seed = Number(process.env.SEED ?? 1)
  await compareViews(t, { seed, rounds: Number(process.env.ROUNDS ?? 2), commits: 150 })
})

test('a record that is missing, late or said twice is found, and so is wrong SQL', async (t) => {
  const { adminUrl } = await usePostgres(t)
  const { moments, told } = await play(t, { seed: 7, commits: 60, adminUrl })
  t.same(differences(moments, told), [])
  const [view, records] = [...told.views].find(([, { length }]) => length > 20)!
  const isUpdate = ({ value }: LogRecord) => String(value).includes('"op":"u"')
  const nth = records.findLastIndex((each, i) => isUpdate(each) && i < records.length - 5)
  const at = (sabotage: Sabotage): Sabotage => {
    return (name, record, i) => {
      return name === view && i === nth ? sabotage(name, record, i) : record
    }
  }
  const missing = at(() => undefined)
  t.match(differences(moments, told, missing), [/ at commit \d+: /])
  const late = at((_, record) => ({ ...record, cause: record.cause! + 1n }))
  t.match(differences(moments, told, late), [/ at commit \d+: /])
  const twice = new Map([...told.views, [view, records.flatMap((each) => [each, each])]])
  t.match(differences(moments, { ...told, views: twice }), [/told twice/])
  const shifted = new Map([...moments.keys()].map((n) => [n, moments.get(Math.max(0, n - 1))!]))
  t.match(differences(shifted, told), [/ at commit \d+: /])
})
