import { connect, createServer, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Test } from 'tap'

/** How the way to the server is disturbed. */
export type Disturbance =
  | 'none'
  /** Nobody answers at all. */
  | 'down'
  /** The server has done what it was asked, but nobody hears of that: the connection breaks. */
  | 'reset after answer'
  /** Half of what is sent arrives, then the connection breaks. */
  | 'cut'
  /** Every answer is half a second late. */
  | 'slow'

export interface FaultProxy {
  readonly url: string
  disturb(how: Disturbance): void
  /** New connections lead to another server from now on; those that there are break. */
  lead(port: number): void
  /** How often something was disturbed. */
  readonly disturbed: number
}

/** Stands before a real server. */
export async function faultProxy(t: Test, port: number): Promise<FaultProxy> {
  const way: Way = { how: 'none', port, disturbed: 0, sockets: new Set() }
  const server = createServer((near) => join(way, near))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const breakAll = () => {
    for (const socket of way.sockets) socket.destroy()
  }
  t.teardown(() => {
    breakAll()
    server.close()
  })
  return {
    url: `redis://127.0.0.1:${(server.address() as { port: number }).port}`,
    get disturbed() {
      return way.disturbed
    },
    disturb(how) {
      way.how = how
      if (how === 'down') breakAll()
    },
    lead(other) {
      way.port = other
      breakAll()
    },
  }
}

interface Way {
  how: Disturbance
  port: number
  disturbed: number
  readonly sockets: Set<Socket>
}

function join(way: Way, near: Socket): void {
  const far = connect(way.port, '127.0.0.1')
  for (const socket of [near, far]) {
    way.sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => {
      way.sockets.delete(socket)
      near.destroy()
      far.destroy()
    })
  }
  if (way.how === 'down') {
    way.disturbed++
    near.destroy()
  }
  near.on('data', (bytes) => {
    if (way.how !== 'cut') return void far.write(bytes)
    way.disturbed++
    far.write(bytes.subarray(0, bytes.length / 2), () => near.resetAndDestroy())
  })
  // An answer that is late holds up those behind it: a connection keeps their order.
  let before: Promise<unknown> = Promise.resolve()
  far.on('data', (bytes) => {
    if (way.how !== 'none') way.disturbed++
    if (way.how === 'reset after answer') return void near.resetAndDestroy()
    const late = way.how === 'slow' ? sleep(500) : undefined
    before = Promise.all([before, late]).then(() => near.write(bytes))
  })
}
