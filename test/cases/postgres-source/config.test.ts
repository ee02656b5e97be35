import t from 'tap'
import { connectorOptions } from './config.ts'

const fixed = { url: 'postgres://db', slot: 'case_1' }

t.test('options that the connector does not know are named', async (t) => {
  const config = { 'no.such.option': 'x', 'nor.this': '1' }
  const message = /no option no\.such\.option; the connector has no option nor\.this/
  t.throws(() => connectorOptions(config, fixed), { message })
})

t.test('a value that the connector refuses is named with its option', async (t) => {
  const config = { 'decimal.handling.mode': 'roman' }
  t.throws(() => connectorOptions(config, fixed), { message: /refuses decimal\.handling\.mode/ })
})

t.test('texts become what the schema wants', async (t) => {
  const options = connectorOptions({ 'include.unknown.datatypes': 'true' }, fixed)
  t.equal(options['include.unknown.datatypes'], true)
  t.match(options, { 'topic.prefix': 'test_server', 'slot.name': 'case_1', format: 'debezium' })
})

t.test('a value of the wrong shape is refused, not dropped', async (t) => {
  t.throws(() => connectorOptions({ 'include.unknown.datatypes': 'perhaps' }, fixed))
})
