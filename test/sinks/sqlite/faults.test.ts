import { renameSync, rmSync, writeFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { begin, type Campaign, type CampaignOptions } from '../campaign/campaign.ts'
import { target } from './campaign.ts'

t.setTimeout(300_000)

const survives = (
  fault: string,
  options: CampaignOptions,
  body: (path: string, campaign: Campaign, t: Test) => Promise<boolean>,
) => {
  t.test(`a sink survives ${fault}`, async (t) => {
    const { path, seen } = target(t)
    const campaign = await begin(t, seen, options)
    await campaign.progress()
    const isFilledAgain = await body(path, campaign, t)
    await campaign.progress()
    await campaign.settle(isFilledAgain)
  })
}

const endings = ['', '-wal', '-shm']

survives('rows that are no JSON', { odd: [{ id: 'odd', row: '{"a" 1}' }] }, async () => {
  await sleep(300)
  return false
})

survives('a file that another process writes to for long', {}, async (path, { state }) => {
  const other = new DatabaseSync(path)
  other.exec('BEGIN IMMEDIATE')
  await state('retrying', /TARGET_BUSY/)
  other.exec('ROLLBACK')
  other.close()
  await sleep(500)
  return false
})

survives('a file that is deleted', {}, async (path, { lookAway, lookAgain, state }) => {
  lookAway()
  for (const ending of endings) rmSync(`${path}${ending}`, { force: true })
  await sleep(300)
  await state('running', /^$/)
  lookAgain()
  return true
})

survives('a file that is put back from a copy', {}, async (path, campaign) => {
  const { lookAway, lookAgain, progress } = campaign
  const other = new DatabaseSync(path, { timeout: 5_000 })
  other.exec(`VACUUM INTO '${path}.copy'`)
  other.close()
  await progress()
  await sleep(300)
  lookAway()
  for (const ending of endings.slice(1)) rmSync(`${path}${ending}`, { force: true })
  renameSync(`${path}.copy`, path)
  await sleep(300)
  lookAgain()
  return true
})

survives(
  'a file that was never one of SQLite',
  {},
  async (path, { lookAway, lookAgain, state }) => {
    lookAway()
    for (const ending of endings) rmSync(`${path}${ending}`, { force: true })
    writeFileSync(path, 'this is text, and no database, whatever its name says; '.repeat(100))
    await state('paused', /TARGET_MISCONFIGURED|TARGET_BLOCKED/)
    rmSync(path)
    lookAgain()
    return true
  },
)
