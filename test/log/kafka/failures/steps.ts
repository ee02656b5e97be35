import { writeSync } from 'node:fs'
import type { Connection } from '@platformatic/kafka'
import { Cluster } from '../../../../src/log/kafka/cluster.ts'

/*
 * Where a process can die while it commits: before or after a call to the cluster, of the writer
 * `w` or of a task `t`. Behind `Commit a transaction` everything is committed, and nobody knows.
 */
const calls = ['Begin a transaction', 'Write', 'Commit a transaction'] as const
const offsets = ['Add offsets a transaction', 'Commit offsets'] as const
const moments = ['before', 'after'] as const

export const steps: readonly string[] = [
  ...calls.flatMap((call) => moments.map((moment) => `w ${moment} ${call}`)),
  ...[...calls, ...offsets].flatMap((call) => moments.map((moment) => `t ${moment} ${call}`)),
]

/** Some commits go well first. */
const least = 5

/** Kills this process by SIGKILL when it comes to a step. */
export function dieAt(step: string): void {
  const [who, moment, ...words] = step.split(' ')
  const call = words.join(' ')
  let commits = 0
  observe((actor, now, what) => {
    if (actor !== who) return
    if (now === 'after' && what.startsWith('Commit a')) commits++
    if (now !== moment || !what.startsWith(call) || commits <= least) return
    writeSync(1, `dies ${step}\n`)
    process.kill(process.pid, 'SIGKILL')
  })
}

type Observer = (actor: string | undefined, moment: 'before' | 'after', what: string) => void

type Call = (this: Cluster, ...args: [address: string, what: string, ...rest: unknown[]]) => unknown

/** Sees every call that a producer makes. Who calls is known from its transactional id. */
function observe(observer: Observer): void {
  const actors = new WeakMap<Cluster, string>()
  const call = Cluster.prototype.call as Call
  const observed: Call = async function (...args) {
    const [, what] = args
    const [, actor] = /transaction of \S+\.(w|t)(?:\.\d+)?$/.exec(what) ?? []
    if (actor !== undefined) actors.set(this, actor)
    observer(actors.get(this), 'before', what)
    const answer = await call.apply(this, args)
    observer(actors.get(this), 'after', what)
    return answer
  }
  Cluster.prototype.call = observed as typeof Cluster.prototype.call
  const connect = Cluster.prototype.connection
  Cluster.prototype.connection = async function (address) {
    const connection = await connect.call(this, address)
    return observeSends(connection, (moment) => observer(actors.get(this), moment, 'Write'))
  }
}

const produceKey = 0

/** The same connection. Batches of records do not go through `call`. */
function observeSends(
  connection: Connection,
  told: (moment: 'before' | 'after') => void,
): Connection {
  type Send = typeof connection.send
  const send = ((...args: Parameters<Send>) => {
    if (args[0] === produceKey) {
      told('before')
      const done = args[6]
      args[6] = (error, answer) => {
        told('after')
        done(error, answer)
      }
    }
    connection.send(...args)
  }) as Send
  return new Proxy(connection, {
    get: (target, name) => (name === 'send' ? send : Reflect.get(target, name, target)),
  })
}
