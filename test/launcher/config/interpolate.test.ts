import fc from 'fast-check'
import { test } from 'tap'
import { interpolate } from '../../../src/launcher/config/interpolate.ts'

const environment = { HOST: 'db', EMPTY: '', TRICK: ['$', '{HOST}'].join(''), YAML: 'a: 1\n- b' }
const dollar = '$'

test('variables are put in as they are', async (t) => {
  t.equal(interpolate(`${dollar}{HOST}:${dollar}{HOST}`, environment).text, 'db:db')
  t.equal(interpolate(`${dollar}{YAML}`, environment).text, 'a: 1\n- b')
})

test('what comes out of a variable is not looked at again', async (t) => {
  t.equal(interpolate(`${dollar}{TRICK}`, environment).text, `${dollar}{HOST}`)
})

test('a default stands in for what is missing or empty', async (t) => {
  t.equal(interpolate(`${dollar}{NONE:-x}`, environment).text, 'x')
  t.equal(interpolate(`${dollar}{EMPTY:-x}`, environment).text, 'x')
  t.equal(interpolate(`${dollar}{HOST:-x}`, environment).text, 'db')
  t.equal(interpolate(`${dollar}{NONE:-}`, environment).text, '')
})

test('a missing variable is a fault that names it', async (t) => {
  const { faults } = interpolate(`a ${dollar}{NONE} ${dollar}{OTHER}`, environment)
  t.same(
    faults.map(({ name }) => name),
    ['NONE', 'OTHER'],
  )
})

test('nothing is inherited from the prototype of the environment', async (t) => {
  t.equal(interpolate(`${dollar}{constructor}`, environment).faults[0]?.name, 'constructor')
})

test('a second dollar makes it plain text', async (t) => {
  const { text, replaced, faults } = interpolate(`${dollar}${dollar}{HOST}`, environment)
  t.same({ text, replaced, faults }, { text: `${dollar}{HOST}`, replaced: false, faults: [] })
})

test('what only begins like a variable is a fault', async (t) => {
  for (const rest of ['{', '{}', '{1X}', '{HOST', '{HOST-x}', '{A B}'])
    t.equal(interpolate(`${dollar}${rest}`, environment).faults.length, 1, rest)
})

test('a text without a variable stays as it is', async (t) => {
  fc.assert(
    fc.property(
      fc.string().filter((text) => !text.includes(`${dollar}{`)),
      (text) => t.equal(interpolate(text, environment).text, text),
    ),
    { numRuns: 200 },
  )
})
