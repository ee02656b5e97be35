import { createConnection, createServer, type Server, type Socket } from 'node:net'
import { freePort } from '../support/servers/ports.ts'

/** Stands in front of a server: while it is shut, the server is down for whoever comes this way. */
export class Gate {
  /** The server's URL, by way of this gate. */
  readonly url: string
  readonly #target: URL
  readonly #port: number
  readonly #sockets = new Set<Socket>()
  #server: Server | undefined

  private constructor(target: URL, port: number) {
    this.#target = target
    this.#port = port
    const url = new URL(target)
    url.port = String(port)
    this.url = url.href.replace(/\/$/, '')
  }

  static async before(url: string): Promise<Gate> {
    const gate = new Gate(new URL(url), await freePort())
    await gate.open()
    return gate
  }

  async open(): Promise<void> {
    if (this.#server !== undefined) return
    const server = createServer((socket) => this.#pass(socket))
    this.#server = server
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(this.#port, '127.0.0.1', resolve)
    })
  }

  /** Cuts every connection, and takes none. */
  shut(): void {
    this.#server?.close()
    this.#server = undefined
    for (const socket of this.#sockets) socket.destroy()
    this.#sockets.clear()
  }

  #pass(near: Socket): void {
    const far = createConnection({ host: this.#target.hostname, port: Number(this.#target.port) })
    for (const [one, other] of [[near, far] as const, [far, near] as const]) {
      one.setNoDelay(true)
      one.on('error', () => {}) // Followed by 'close'.
      one.on('close', () => {
        this.#sockets.delete(one)
        other.destroy()
      })
      this.#sockets.add(one)
      one.pipe(other)
    }
  }
}
