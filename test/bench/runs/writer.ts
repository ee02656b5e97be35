import { Client } from 'pg'
import { finish } from './finish.ts'

/**
 * One transaction every millisecond on a fixed schedule, late or not: an open loop. Prints when
 * each was sent and when its COMMIT returned, on the clock that all processes of the machine share.
 */
const { url, firstId, count, perSecond, connections } = JSON.parse(process.argv[2]!)
const clients = await Promise.all(
  Array.from({ length: connections }, async () => {
    const client = new Client(url)
    await client.connect()
    return client
  }),
)
const now = () => Number(process.hrtime.bigint()) / 1e6
const insert = {
  name: 'insert',
  text: 'INSERT INTO orders (id, customer_id, status, total, placed_at) VALUES ($1, $2, $3, $4, now())',
}
const sent: number[] = new Array(count)
const returned: number[] = new Array(count)
const start = now()
let next = 0
/** A transaction that is due waits for a free connection; the schedule does not wait for it. */
const due = () => Math.min(count, Math.floor(((now() - start) * perSecond) / 1000))
await Promise.all(clients.map(write))

async function write(client: Client): Promise<void> {
  while (next < count) {
    if (next >= due()) {
      await new Promise((resolve) => setTimeout(resolve, 1))
      continue
    }
    const i = next++
    sent[i] = now()
    await client.query({ ...insert, values: [firstId + i, 1 + (i % 1000), 'new', '12.50'] })
    returned[i] = now()
  }
}

const seconds = (now() - start) / 1000
finish({ perSecond: count / seconds, sent, returned })
