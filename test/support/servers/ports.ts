import { createServer } from 'node:net'

// Above the well-known services, below the range from which the kernel takes ports for outgoing
// connections: a port that is free now does not become somebody's own end of a socket.
const lowest = 15_000
const highest = 32_000
const given = new Set<number>()

/** A loopback port below 32768 that nobody listens on. No port is given twice by one process. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const port = lowest + Math.floor(Math.random() * (highest - lowest))
    if (given.has(port) || !(await isFree(port))) continue
    given.add(port)
    return port
  }
  throw new Error(`No free port between ${lowest} and ${highest}`)
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}
