import { readFileSync } from 'node:fs'
import { runInNewContext } from 'node:vm'
import { test } from 'tap'

const source = readFileSync(new URL('../../src/launcher/bin.js', import.meta.url), 'utf8')

test('an old Node is told in a plain sentence what it lacks', async (t) => {
  const said: string[] = []
  const process = {
    versions: { node: '20.11.1' },
    exit: (code: number) => {
      throw new Error(`exit ${code}`)
    },
  }
  const console = { error: (line: string) => said.push(line) }
  t.throws(() => runInNewContext(source.replace(/^#!.*/, ''), { process, console }), /exit 1/)
  t.same(said, ['millrace needs Node 24 or later; this is Node 20.11.1.'])
})

test('no statement of it is younger than what it has to refuse', async (t) => {
  t.notMatch(source, /^import |\?\?|\?\.|=>|\bconst\b|\blet\b|`/m)
})
