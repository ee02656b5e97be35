import t from 'tap'
import { closingLine, readTap, type Tally, total } from './tap-report.ts'

const file = 'test/a.test.ts'

t.test('tests are counted, not what they assert', async (t) => {
  const tally = read(`
# Subtest: ${file}
    # Subtest: first
        ok 1 - should be equal
        not ok 2 - should match
          ---
          diff: |
    ok 9 - looks like a result, but is text
          ...
        1..2
    not ok 1 - first # time=5.323ms
      ---
      at: {}
      ...

    ok 2 - second # time=1ms
    ok 3 - third # SKIP no server
    ok 4 - fourth # ${['TO', 'DO'].join('')}
    1..4
not ok 1 - ${file} # time=12ms
`)
  t.strictSame(tally, { passed: 1, failed: 1, skipped: 2, failures: [`${file} > first`] })
})

t.test('a test of which everything was skipped is skipped', async (t) => {
  const tally = read(`
    # Subtest: first
        ok 1 - the server is there # SKIP There is no Redis.
        1..1
    ok 1 - first
    # Subtest: second
        ok 1 - the server is there # SKIP There is no Redis.
        ok 2 - should be equal
        1..2
    ok 2 - second
    1..2
ok 1 - ${file}
`)
  t.strictSame(tally, { passed: 1, failed: 0, skipped: 1, failures: [] })
})

t.test('a file that crashes fails, even when its tests passed', async (t) => {
  const tally = read(`    ok 1 - first\n    # test count(1) != plan(null)\nnot ok 1 - ${file}\n`)
  t.strictSame(tally, {
    ...{ passed: 1, failed: 1, skipped: 0 },
    failures: [`${file} crashed, or ended with an error`],
  })
})

t.test('a file that runs no test fails', async (t) => {
  const tally = read(`    1..0 # no tests found\nok 1 - ${file} # SKIP no tests found\n`)
  t.strictSame(tally.failures, [`${file} runs no test`])
})

t.test('a file of which nothing is heard fails', async (t) => {
  t.strictSame(read('ok 1 - test/b.test.ts').failures, [`${file} came to no end`])
})

t.test('a file that skips itself counts as one that was skipped', async (t) => {
  const tally = read(`    1..0 # There is no Redis.\nok 1 - ${file} # SKIP There is no Redis.\n`)
  t.strictSame(tally, { passed: 0, failed: 0, skipped: 1, failures: [] })
})

t.test('a run ends with its counts', async (t) => {
  const sum = total([
    { passed: 2, failed: 0, skipped: 0, failures: [] },
    { passed: 1, failed: 1, skipped: 0, failures: ['a'] },
  ])
  t.strictSame(sum.failures, ['a'])
  t.equal(closingLine(sum), '3 passed, 1 failed')
  t.equal(closingLine({ ...sum, skipped: 4 }), '3 passed, 1 failed, 4 skipped')
})

function read(tap: string): Tally {
  return readTap(tap, [file]).get(file)!
}
