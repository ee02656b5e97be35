import { execFile } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type Test, test } from 'tap'
import { loadConfig } from '../../src/launcher/config/config.ts'
import { registry } from '../../src/launcher/config/registry.ts'

const page = readFileSync(new URL('../../docs/writing-a-sink.md', import.meta.url), 'utf8')

/** The files that the page shows, in a folder from which the package is found by its name. */
function files(t: Test): string {
  const folder = t.testdir({})
  for (const [, name, text] of page.matchAll(/```ts (\S+)\n([\s\S]*?)```/g)) {
    writeFileSync(join(folder, name!), text!)
  }
  return folder
}

test('the sink that the documentation shows passes the suite, as it shows', async (t) => {
  const folder = files(t)
  const { PATH = '' } = process.env
  const env = { PATH, TMPDIR: folder }
  const args = ['--conditions=millrace-source', '--test', 'folder-sink.test.ts']
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: folder, env })
  t.match(stdout, /fail 0/)
  t.notMatch(stdout, /tests 0/)
})

test('a configuration names a sink by its file', async (t) => {
  const folder = files(t)
  const load = (sink: string) => {
    const text = `name: shop\nconnectors:\n  db: {type: postgres, url: 'postgres://h/db', tables: [public.orders]}\nsinks:\n  out: {${sink}, from: db.public.orders}\n`
    writeFileSync(join(folder, 'p.yaml'), text)
    return loadConfig(join(folder, 'p.yaml'), registry, {})
  }
  t.match(load('type: ./folder-sink.ts, folder: ./documents'), {
    ok: true,
    config: { sinks: [{ plugin: { type: 'folder' }, options: { folder: './documents' } }] },
  })
  t.match(load('type: ./folder-sink.ts'), { ok: false, faults: [{ what: /Where documents go/ }] })
  t.match(load('type: ./none.ts'), { ok: false, faults: [{ what: /cannot be loaded/ }] })
  t.match(load('type: ./folder-sink.test.ts'), { ok: false })
})
