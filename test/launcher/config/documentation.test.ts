import { readFileSync } from 'node:fs'
import { test } from 'tap'
import { errors } from '../../../src/core/errors.ts'
import { registry } from '../../../src/launcher/config/registry.ts'
import { namesAt, shapeOf } from '../../../src/launcher/config/shape.ts'

const text = (path: string) =>
  readFileSync(new URL(`../../../docs/${path}`, import.meta.url), 'utf8')

test('every option of every connector and sink is documented under its type', async (t) => {
  const sections = new Map<string, string>()
  for (const section of text('configuration.md').split('\n### ').slice(1)) {
    const type = section.split('`')[1]!
    sections.set(type, `${sections.get(type) ?? ''}${section}`) // A connector and a sink may share it.
  }
  for (const { type, options } of [...registry.connectors, ...registry.sinks]) {
    for (const name of namesAt(shapeOf(options), [])) {
      if (name === 'type') continue
      const row = sections
        .get(type)
        ?.split('\n')
        .find((line) => line.startsWith(`| \`${name}\` |`))
      t.match(row, /\| [^|]+ \|$/, `${type}.${name} and what it means`)
    }
  }
})

test('every error code is documented', async (t) => {
  const page = text('errors.md')
  for (const code of Object.keys(errors)) t.ok(page.includes(`| \`${code}\` |`), code)
})
