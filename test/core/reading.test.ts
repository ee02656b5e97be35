import { test } from 'tap'
import { idTemplate, keyId } from '../../src/core/document-id.ts'
import { guessKey } from '../../src/core/reading.ts'

test('a key is guessed from an id, and leads back to it', async (t) => {
  for (const [template, id] of [
    ['order:{id}', 'order:42'],
    ['{{x}}-{id}.json', '{x}-a"b.json'],
  ] as const) {
    const idOf = idTemplate(template)
    const key = guessKey(id, idOf, template)
    t.equal(key && idOf(key), id)
  }
  t.equal(keyId(guessKey('42', keyId)!), '42')
})

test('an id of several columns, or of another template, is no guess', async (t) => {
  t.equal(guessKey('1/2', idTemplate('{a}/{b}'), '{a}/{b}'), undefined)
  t.equal(guessKey('42', idTemplate('order:{id}'), 'order:{id}'), undefined)
})
