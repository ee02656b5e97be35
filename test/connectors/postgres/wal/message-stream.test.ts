import { once } from 'node:events'
import { type AddressInfo, createConnection, createServer, type Socket } from 'node:net'
import fc from 'fast-check'
import type { Client } from 'pg'
import { type Test, test } from 'tap'
import { MessageStream } from '../../../../connectors/postgres/wal/message-stream.ts'

const never = new AbortController().signal

/** A stream of messages, and the server's end of its connection. */
async function connect(t: Test): Promise<{ messages: MessageStream; server: Socket }> {
  const listener = createServer().listen(0, '127.0.0.1')
  await once(listener, 'listening')
  const accepted = once(listener, 'connection')
  const stream = createConnection((listener.address() as AddressInfo).port, '127.0.0.1')
  const messages = new MessageStream({ connection: { stream } } as unknown as Client)
  const [server] = (await accepted) as [Socket]
  server.on('error', () => {}) // The test may end while it sends.
  t.teardown(() => {
    stream.destroy()
    server.destroy()
    listener.close()
  })
  return { messages, server }
}

function message(type: string, payload: Buffer): Buffer {
  const header = Buffer.from(`${type}....`)
  header.writeUInt32BE(payload.length + 4, 1)
  return Buffer.concat([header, payload])
}

/** The next so many messages, as copies. */
async function take(messages: MessageStream, count: number): Promise<[string, Buffer][]> {
  const taken: [string, Buffer][] = []
  while (taken.length < count) {
    if (!messages.next()) {
      await messages.more(1_000, never)
      continue
    }
    const { type, bytes, start, end } = messages
    taken.push([String.fromCharCode(type), Buffer.from(bytes.subarray(start, end))])
  }
  return taken
}

test('messages come whole, wherever the network cuts them', async (t) => {
  const { messages, server } = await connect(t)
  server.setNoDelay(true)
  const payloads = fc.array(fc.uint8Array({ maxLength: 60 }), { minLength: 1, maxLength: 20 })
  const chunkSizes = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 })
  await fc.assert(
    fc.asyncProperty(payloads, chunkSizes, async (payloads, sizes) => {
      const sent = payloads.map((bytes): [string, Buffer] => ['d', Buffer.from(bytes)])
      const all = Buffer.concat(sent.map(([type, payload]) => message(type, payload)))
      const taking = take(messages, sent.length)
      for (let at = 0, i = 0; at < all.length; i++) {
        const end = at + sizes[i % sizes.length]!
        server.write(all.subarray(at, end))
        await new Promise(setImmediate)
        at = end
      }
      t.strictSame(await taking, sent)
    }),
    { numRuns: 20 },
  )
})

test('a message larger than the bound on what waits is read all the same', async (t) => {
  const { messages, server } = await connect(t)
  const huge = Buffer.alloc(20 * 1024 * 1024, 'x')
  server.write(Buffer.concat([message('d', Buffer.from('a')), message('d', huge)]))
  server.write(message('c', Buffer.from('b')))
  const [first, second, third] = await take(messages, 3)
  t.strictSame(first, ['d', Buffer.from('a')])
  t.equal(second![1].length, huge.length)
  t.ok(second![1].equals(huge))
  t.strictSame(third, ['c', Buffer.from('b')])
})

test('whoever does not read holds the server back, and loses nothing', async (t) => {
  const { messages, server } = await connect(t)
  const count = 400
  const payload = Buffer.alloc(64 * 1024, 'y')
  let written = 0
  const writing = (async () => {
    for (; written < count; written++) {
      if (!server.write(message('d', payload))) await once(server, 'drain')
    }
  })()
  let before = -1
  while (written !== before) {
    before = written
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
  t.ok(written < count, 'the server had to wait')
  const taken = await take(messages, count)
  await writing
  t.ok(taken.every(([, bytes]) => bytes.equals(payload)))
})

test('what came before the connection broke is read, then its loss is thrown', async (t) => {
  const { messages, server } = await connect(t)
  server.end(Buffer.concat([message('d', Buffer.from('last')), Buffer.from('d')]))
  t.strictSame(await take(messages, 1), [['d', Buffer.from('last')]])
  await t.rejects(take(messages, 1), { code: 'CONNECTION_LOST' })
})

test('a wait ends with its signal', async (t) => {
  const { messages } = await connect(t)
  const stop = new AbortController()
  const waiting = messages.more(60_000, stop.signal)
  stop.abort()
  t.equal(await waiting, false)
})
