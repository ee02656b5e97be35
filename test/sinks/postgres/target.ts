import { postgresSink } from '../../../sinks/postgres/index.ts'

export const context = {
  pipeline: 'shop',
  name: 'lookup',
  topic: 'orders',
  partition: 0,
  say: () => {},
}

export const optionsOf = (url: string, more: object = {}) =>
  postgresSink.options.parse({ type: 'postgres', url, ...more })
