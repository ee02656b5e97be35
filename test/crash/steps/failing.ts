import type { Assignment, Log, Task } from '../../../src/core/log.ts'
import type { NewRecord } from '../../../src/core/record.ts'
import type { Sink } from '../../../src/core/sink.ts'
import type { Position, Source } from '../../../src/core/source.ts'
import type { Faults } from './faults.ts'

/** What a run has to know of each pump: the position up to which its sink is durable. */
export type Durable = Map<string, Position | undefined>

/** A sink whose every step may fail. */
export function failingSink<T>(
  inner: Sink<T>,
  pump: string,
  faults: Faults,
  durable: Durable,
): Sink<T> {
  return {
    resume: (source) =>
      faults.step(`${pump} resume`, async () => {
        const position = await inner.resume(source)
        durable.set(pump, position)
        return position
      }),
    clear: (source) => inner.clear(source),
    write: (batch) => faults.step(`${pump} write`, () => inner.write(batch)),
    commit: (checkpoint) =>
      faults.step(`${pump} commit`, async () => {
        await inner.commit(checkpoint)
        durable.set(pump, checkpoint.position)
      }),
    close: () => inner.close(),
  }
}

/** A source whose acknowledgements may fail. */
export function failingSource<T, S extends Source<T>>(inner: S, pump: string, faults: Faults): S {
  const ack = (position: Position) => faults.stepNow(`${pump} ack`, () => inner.ack(position))
  return new Proxy(inner, {
    get(target, name) {
      if (name === 'ack') return ack
      const value = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

/**
 * A log whose readers and writers may fail; a group reads on behalf of the pump `log→<its end>`.
 */
export function failingLog(inner: Log, faults: Faults, durable: Durable): Log {
  return {
    writer: (name) => failingSink<NewRecord>(inner.writer(name), 'db→log', faults, durable),
    async *assignments(topics, group, signal): AsyncGenerator<Assignment> {
      for await (const assignment of inner.assignments(topics, group, signal)) {
        yield {
          ...assignment,
          source: failingSource(assignment.source, `log→${group}`, faults),
          task: (name) => failingTask(assignment.task(name), faults),
        }
      }
    },
    deadLetters: (sink) => inner.deadLetters(sink),
    describe: () => inner.describe(),
    close: () => inner.close(),
  }
}

/** A view's transactions may also fail in the midst of one of its steps. */
function failingTask(inner: Task, faults: Faults): Task {
  return {
    store: inner.store,
    resume: (source) => inner.resume(source),
    clear: (source) => inner.clear(source),
    write: (batch) => inner.write(batch),
    commit: (checkpoint) => faults.step('transaction', () => inner.commit(checkpoint)),
    close: () => inner.close(),
  }
}
