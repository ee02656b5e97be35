import type { Socket } from 'node:net'
import type { Client } from 'pg'

/** Sends a simple query on a connection that `pg` has opened, and takes its answer as raw bytes. */
export function sendQuery(client: Client, sql: string): Socket {
  const socket = (client as unknown as { connection: { stream: Socket } }).connection.stream
  socket.removeAllListeners('data')
  const text = Buffer.from(`${sql}\0`)
  const query = Buffer.concat([Buffer.from([0x51, 0, 0, 0, 0]), text])
  query.writeUInt32BE(4 + text.length, 1)
  socket.write(query)
  return socket
}

/** Where the whole message at `at` ends; `undefined` if a part of it is still to come. */
export function messageEnd(bytes: Buffer, at: number): number | undefined {
  if (at + 5 > bytes.length) return undefined
  const end = at + 1 + bytes.readUInt32BE(at + 1)
  return end > bytes.length ? undefined : end
}

const errorResponse = 0x45

/** Passes every whole message, until `each` says that it was the last. */
export function readMessages(
  socket: Socket,
  each: (bytes: Buffer, at: number, end: number) => boolean,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let rest: Buffer = Buffer.alloc(0)
    socket.once('close', () => reject(new Error('the server closed the connection')))
    socket.on('data', (chunk: Buffer) => {
      const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
      let at = 0
      for (let end = messageEnd(bytes, at); end !== undefined; end = messageEnd(bytes, at)) {
        if (bytes[at] === errorResponse) reject(new Error(bytes.toString('latin1', at + 5, end)))
        if (each(bytes, at, end)) resolve()
        at = end
      }
      rest = bytes.subarray(at)
    })
  })
}
