import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { cli, start } from '../child.ts'

test('a schema registry runs until it is asked to end, and keeps its schemas', async (t) => {
  const folder = t.testdir({})
  const child = start(cli, ['registry', '--data', 'data', '--port', '0'], { cwd: folder })
  await child.said(/schema registry at http:\S+, schemas in .*schemas\.ndjson\n/)
  const url = /http:[^,]+/.exec(child.output())![0]
  const body = JSON.stringify({ schema: '"string"' })
  const answer = await fetch(`${url}/subjects/a-key/versions`, { method: 'POST', body })
  t.same(await answer.json(), { id: 1 })
  child.kill('SIGTERM')
  t.equal(await child.ended, 0)
  t.ok(existsSync(join(folder, 'data', 'schemas.ndjson')))
})
