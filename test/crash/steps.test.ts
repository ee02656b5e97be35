import { test } from 'tap'
import { type Outcome, type Recovery, runScript } from './steps/run.ts'
import { expected } from './steps/script.ts'

/** Runs wait for the disk most of the time. */
const atOnce = 6

const untouched = await runScript()

test('the script comes through to every sink', async (t) => {
  t.strictSame(untouched.documents, expected)
  t.strictSame(untouched.faults, [])
  t.equal(untouched.hasFailed, false)
})

test('every step of every pump is a place to fail at, before it and after it', async (t) => {
  const steps = (pump: string, batches: number) => {
    return { [`${pump} resume`]: 1, ...each(pump, ['write', 'commit', 'ack'], batches) }
  }
  // The three parts of a commit come to the views together. They tell 2 and 14 documents of the
  // first commits of batches in so many transactions; all else goes with the batch.
  const wanted = {
    ...steps('db→log', 6),
    ...steps('log→views', 4),
    ...steps('log→local', 4),
    ...steps('log→file', 4),
    transaction: 4 + 1 + 13,
  }
  t.strictSame(count(untouched.places, 'before'), wanted)
  t.strictSame(count(untouched.places, 'after'), wanted)
  t.equal(untouched.places.length, 2 * (4 + 3 * (6 + 4 + 4 + 4) + 18))
})

const recoveries: Readonly<Record<Recovery, string>> = {
  retry: 'a step that fails is made up for by the pump that starts again',
  restart: 'a step that fails is made up for by the process that starts again',
}

for (const [recovery, sentence] of Object.entries(recoveries)) {
  test(sentence, { timeout: 240_000 }, async (t) => {
    const left = [...untouched.places]
    let failures = 0
    const work = async () => {
      for (let place = left.shift(); place !== undefined; place = left.shift()) {
        const outcome = await runScript(place, recovery as Recovery)
        if (outcome.hasFailed) failures++
        const wrong = differences(outcome)
        if (wrong.length > 0) t.fail(`failed ${place}`, { wrong })
      }
    }
    await Promise.all(Array.from({ length: atOnce }, work))
    t.equal(failures, untouched.places.length)
  })
}

/** Log and sinks must hold exactly what they hold without any failure. */
function differences({ documents, lines, records, faults }: Outcome): readonly string[] {
  const isSame = (one: unknown, other: unknown) => JSON.stringify(one) === JSON.stringify(other)
  return [
    ...faults,
    ...(isSame(documents, untouched.documents) ? [] : ['other documents in SQLite']),
    ...(isSame(records, untouched.records) ? [] : ['other records in the log']),
    ...(isSame(lines, untouched.lines) ? [] : ['other lines in the file']),
  ]
}

function each(pump: string, steps: readonly string[], count: number): Record<string, number> {
  return Object.fromEntries(steps.map((step) => [`${pump} ${step}`, count]))
}

/** How often each step was met. */
function count(places: readonly string[], when: string): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const place of places) {
    const [, step] = /^(.*) \d+$/.exec(place)!
    if (!step!.startsWith(`${when} `)) continue
    const name = step!.slice(when.length + 1)
    counts[name] = (counts[name] ?? 0) + 1
  }
  return counts
}
