import type { Access } from './cluster.ts'
import type { KafkaOptions } from './options.ts'
import { saslOf, tlsOf } from './security.ts'

export interface Configured {
  readonly pipeline: string
  readonly options: KafkaOptions
}

/** How to reach the brokers, as configured. Throws CONFIG_INVALID if a file cannot be read. */
export function accessOf({ pipeline, options }: Configured): Access {
  const { brokers, clientId = pipeline, requestTimeoutMs, tls, sasl } = options
  return {
    brokers: typeof brokers === 'string' ? [brokers] : brokers,
    clientId,
    requestTimeoutMs,
    ...(tls && { tls: tlsOf(tls) }),
    ...(sasl && { sasl: saslOf(sasl) }),
  }
}
