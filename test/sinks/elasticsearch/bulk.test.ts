import fc from 'fast-check'
import { test } from 'tap'
import {
  classify,
  encodeBulk,
  type Operation,
  readBulk,
  refuseOperation,
  sizeOf,
} from '../../../sinks/elasticsearch/bulk.ts'

const operation = fc.record({
  id: fc.string({ unit: 'binary', minLength: 1, maxLength: 40 }),
  body: fc.option(
    fc
      .tuple(fc.object(), fc.constantFrom(undefined, 1, '\t'))
      .map(([object, indent]) => Buffer.from(JSON.stringify(object, null, indent))),
  ),
  version: fc.bigInt(0n, 2n ** 63n - 1n),
})

test('a bulk request says each id, version and document once, in order', (t) => {
  fc.assert(
    fc.property(fc.array(operation), (operations) => {
      const bytes = encodeBulk(operations)
      const text = bytes.toString()
      const lines = text.split('\n')
      t.equal(lines.pop(), '', 'ends with a line break')
      for (const { id, body, version } of operations) {
        const line = lines.shift()!
        const [verb, target] = Object.entries(JSON.parse(line) as Record<string, object>)[0]!
        t.equal(verb, body === null ? 'delete' : 'index')
        t.match(target, { _id: id.toWellFormed(), version_type: 'external_gte' })
        t.ok(line.includes(`"version":${version},`), 'bare digits')
        if (body !== null) t.same(JSON.parse(lines.shift()!), JSON.parse(body.toString()))
      }
      t.equal(lines.length, 0)
      t.ok(bytes.length <= operations.reduce((sum, each) => sum + sizeOf(each), 0))
    }),
    { numRuns: 200 },
  )
  t.end()
})

test('a document goes out byte by byte', (t) => {
  const body = Buffer.from('{"total":1.10,"big":9223372036854775807,"text":"\\n\\u0000é漢🛒"}')
  const text = encodeBulk([{ id: '1', body, version: 1n }]).toString()
  t.equal(text.split('\n')[1], body.toString())
  t.end()
})

test('a document printed over several lines becomes one, and stays as it was itself', (t) => {
  const body = Buffer.from('{\n  "a": "x\\ny",\r\n  "b": [\n1\n]\n}')
  const before = body.toString()
  const lines = encodeBulk([{ id: '1', body, version: 1n }])
    .toString()
    .split('\n')
  t.equal(lines.length, 3)
  t.same(JSON.parse(lines[1]!), { a: 'x\ny', b: [1] })
  t.equal(body.toString(), before)
  t.end()
})

test('what would fail a whole request is refused before it is sent', (t) => {
  const code = (part: Partial<Operation>) =>
    refuseOperation({ id: '1', body: null, version: 1n, ...part })?.code
  t.equal(code({ id: '' }), 'id_empty')
  t.equal(code({ id: 'x'.repeat(513) }), 'id_too_long')
  t.equal(code({ id: '漢'.repeat(171) }), 'id_too_long', 'bytes count, not characters')
  t.equal(code({ version: -1n }), 'version_out_of_range')
  t.equal(code({ version: 2n ** 63n }), 'version_out_of_range')
  t.equal(code({ id: '漢'.repeat(170), version: 2n ** 63n - 1n }), undefined)
  t.equal(code({ id: 'x'.repeat(512), version: 0n }), undefined)
  t.end()
})

// Answers that Elasticsearch 9.5.3 and 8.19.21 and OpenSearch 3.8.0 were seen to give.
const answers = [
  [{ status: 201 }, 'applied'],
  [{ status: 200 }, 'applied'],
  [{ status: 404 }, 'applied'],
  [item(409, 'version_conflict_engine_exception', '[a]: version conflict, current …'), 'stale'],
  [item(429, 'es_rejected_execution_exception', 'rejected execution of …'), 'busy'],
  [item(429, 'rejected_execution_exception', 'rejected execution of …'), 'busy'],
  [item(503, 'unavailable_shards_exception', '[v][0] primary shard is not active'), 'busy'],
  [item(500, 'exception', 'x'), 'busy'],
] as const

test('an item is applied, stale, or to be offered again', (t) => {
  for (const [answer, outcome] of answers) t.equal(classify(answer), outcome)
  t.end()
})

const refused = [
  [400, 'document_parsing_exception', '[1:6] failed to parse field [n] of type [integer] in …'],
  [400, 'mapper_parsing_exception', 'failed to parse field [n] of type [integer] in document …'],
  [400, 'illegal_argument_exception', 'Document contains at least one immense term in field="k"'],
  [400, 'strict_dynamic_mapping_exception', '[1:6] mapping set to strict, dynamic …'],
  [400, 'illegal_argument_exception', 'if _id is specified it must not be empty'],
] as const

test('an item that no repetition would mend is refused', (t) => {
  for (const [status, type, reason] of refused) {
    t.same(classify(item(status, type, reason)), { code: type, reason })
  }
  t.end()
})

const floodStage =
  'index [b] blocked by: [TOO_MANY_REQUESTS/12/disk usage exceeded flood-stage watermark, index has read-only-allow-delete block];'
const fieldLimit = 'Limit of total fields [8] has been exceeded while adding new fields [4]'
const faults = [
  [404, 'index_not_found_exception', 'no such index [nope]', 'TARGET_CHANGED'],
  [403, 'cluster_block_exception', 'index [b] blocked by: [FORBIDDEN/8/…];', 'TARGET_BLOCKED'],
  [429, 'cluster_block_exception', floodStage, 'TARGET_BLOCKED'],
  [400, 'index_closed_exception', 'closed', 'TARGET_BLOCKED'],
  [
    400,
    'document_parsing_exception',
    `[1:28] failed to parse: ${fieldLimit}`,
    'TARGET_MISCONFIGURED',
  ],
  [
    400,
    'illegal_argument_exception',
    'Limit of total fields [8] has been exceeded',
    'TARGET_MISCONFIGURED',
  ],
  [
    400,
    'illegal_argument_exception',
    'no write index is defined for alias [al]',
    'TARGET_MISCONFIGURED',
  ],
  [400, 'routing_missing_exception', 'routing is required', 'TARGET_MISCONFIGURED'],
  [403, 'security_exception', 'action [indices:data/write/bulk] is unauthorized', 'ACCESS_DENIED'],
] as const

test('an item that shows a fault of the index stops the request, not the document', (t) => {
  for (const [status, type, reason, code] of faults) {
    t.throws(() => classify(item(status, type, reason)), { code }, `${status} ${type}`)
  }
  t.end()
})

test('an answer is read item by item', (t) => {
  const conflict = item(409, 'version_conflict_engine_exception', 'x')
  const items = [{ index: { status: 201 } }, { delete: { status: 404 } }, { index: conflict }]
  const body = Buffer.from(JSON.stringify({ errors: true, items }))
  t.same(readBulk(body, 3), ['applied', 'applied', 'stale'])
  const fine = Buffer.from('{"errors":false,"items":[{"index":{"status":201}}]}')
  t.same(readBulk(fine, 1), ['applied'])
  t.throws(() => readBulk(body, 2), { code: 'CONNECTION_LOST' })
  t.throws(() => readBulk(Buffer.from('<html>'), 1), { code: 'CONNECTION_LOST' })
  t.end()
})

function item(status: number, type: string, reason: string) {
  return { status, error: { type, reason } }
}
