import t from 'tap'
import { pairs, readSteps, refuseInstructions } from './steps.ts'

t.test('a line of SQL is run as it is, dashes in its texts included', async (t) => {
  const line = `INSERT INTO t VALUES ('-- x', '...')`
  t.same(readSteps([line]), [{ do: 'sql', sql: line }])
})

t.test('an instruction that is not understood is a fault', async (t) => {
  t.throws(() => readSteps(['-- wait for the moon']), { message: /'-- wait for the moon' is not/ })
  t.throws(() => readSteps(['INSERT INTO t VALUES (1) -- a few times']))
  t.throws(() => readSteps(["INSERT INTO t VALUES ('a') ... ('z')"]))
  t.throws(() => refuseInstructions('-- restart'))
})

t.test('a repeated statement is run many times', async (t) => {
  const steps = readSteps(["INSERT INTO t VALUES ('x') -- many times"])
  t.ok(steps.length >= 100)
  t.same(steps[0], { do: 'sql', sql: "INSERT INTO t VALUES ('x')" })
})

t.test('a row with an ellipsis stands for all rows in between', async (t) => {
  const steps = readSteps(["BEGIN; INSERT INTO c (d) VALUES ('row1') ... ('row3'); COMMIT"])
  const sql = "BEGIN; INSERT INTO c (d) VALUES ('row1'), ('row2'), ('row3'); COMMIT"
  t.same(steps, [{ do: 'sql', sql }])
})

t.test('n pairs of inserts are one transaction', async (t) => {
  const line = 'BEGIN; -- n pairs INSERT a(x) VALUES(i), INSERT b(x) VALUES(i); COMMIT'
  const [step] = readSteps([line])
  const sql = step?.do === 'sql' ? step.sql : ''
  t.match(sql, /^BEGIN; INSERT INTO a\(x\) VALUES\(1\); INSERT INTO b\(x\) VALUES\(1\); /)
  t.ok(sql.endsWith(`INSERT INTO b(x) VALUES(${pairs}); COMMIT`))
})

t.test('an update in batches is one statement a batch', async (t) => {
  const update = 'UPDATE t SET a = 1 WHERE pk > 0 AND pk <= 25'
  const steps = readSteps([`-- while chunks are read: ${update} (in batches of 10)`])
  t.same(steps, [
    { do: 'sql', sql: 'UPDATE t SET a = 1 WHERE pk > 0 AND pk <= 10' },
    { do: 'sql', sql: 'UPDATE t SET a = 1 WHERE pk > 10 AND pk <= 20' },
    { do: 'sql', sql: 'UPDATE t SET a = 1 WHERE pk > 20 AND pk <= 25' },
  ])
})

t.test('restarts, stops, sessions and a moved slot are instructions', async (t) => {
  const stop =
    '-- consumer is stopped when it reaches pk 10 (record 10 not delivered), then restarted'
  t.same(readSteps([stop]), [{ do: 'stop at', stop: { column: 'pk', value: '10' } }])
  t.same(readSteps(['-- stop the consumer in the middle, restart']), [
    { do: 'stop at', stop: { rows: pairs } },
  ])
  t.same(readSteps(['-- T1: BEGIN; insert row A; (keep open)']), [
    { do: 'session', session: 'T1', commands: ['BEGIN', 'insert row A', '(keep open)'] },
  ])
  t.same(readSteps(['-- consumer restarted after B is delivered and acknowledged']), [
    { do: 'restart after', value: 'B' },
  ])
})
