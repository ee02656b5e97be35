import { connect, createServer, type Socket } from 'node:net'
import type { Test } from 'tap'

/** How the way to the server is disturbed. */
export type Disturbance =
  | 'none'
  /** Nobody answers at all. */
  | 'down'
  /** The server has committed, but nobody hears of that: the connection breaks. */
  | 'reset after commit'
  /** A commit waits here until there is no disturbance any more. */
  | 'hold commits'

export interface FaultProxy {
  /** The server's URL by way of the proxy. */
  readonly url: string
  disturb(how: Disturbance): void
  /** How often something was disturbed. */
  readonly disturbed: number
}

/** A simple query, as `pg` sends it. */
const commit = Buffer.from('Q\0\0\0\x0bCOMMIT\0', 'latin1')

/** Stands before a real server, and knows one message of its protocol. */
export async function faultProxy(t: Test, target: string): Promise<FaultProxy> {
  const { hostname, port } = new URL(target)
  let how: Disturbance = 'none'
  let disturbed = 0
  const sockets = new Set<Socket>()
  const held = new Set<() => void>()
  const server = createServer((near) => {
    const far = connect(Number(port), hostname)
    for (const socket of [near, far]) {
      sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => {
        sockets.delete(socket)
        near.destroy()
        far.destroy()
      })
    }
    if (how === 'down') {
      disturbed++
      near.destroy()
      return
    }
    near.on('data', (bytes: Buffer) => {
      if (!bytes.includes(commit) || how === 'none') return void far.write(bytes)
      disturbed++
      if (how === 'hold commits') held.add(() => far.write(bytes))
      else {
        far.removeAllListeners('data')
        far.once('data', () => near.resetAndDestroy())
        far.write(bytes)
      }
    })
    far.on('data', (bytes) => near.write(bytes))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const url = new URL(target)
  url.host = `127.0.0.1:${(server.address() as { port: number }).port}`
  return {
    url: url.href,
    get disturbed() {
      return disturbed
    },
    disturb(next) {
      how = next
      if (next === 'down') for (const socket of sockets) socket.destroy()
      if (next !== 'none') return
      for (const release of held) release()
      held.clear()
    },
  }
}
