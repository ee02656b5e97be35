import {
  GenericError,
  MultipleErrors,
  type ProtocolError,
  protocolErrors,
} from '@platformatic/kafka'
import { type ErrorCode, MillraceError } from '../../core/errors.ts'

/** What a broker answered, or that it did not. `id` is the protocol's name of the error. */
export class KafkaFault extends MillraceError {
  /** Such as `NOT_LEADER_OR_FOLLOWER`; `NETWORK` where no answer came. */
  readonly id: string
  /** The whole answer, for calls where only a part of it failed. */
  readonly response: unknown

  constructor(
    id: string,
    what: string,
    { cause, response }: { cause?: unknown; response?: unknown } = {},
  ) {
    super(codeOf(id), `${what}: ${describe(id, cause)}${missingRight(id)}.`, { cause })
    this.id = id
    this.response = response
  }
}

/** Turns what the client throws into a fault. `what` says what was tried, as `Write to orders`. */
export function toFault(error: unknown, what: string): MillraceError {
  if (error instanceof MillraceError) return error
  if (!(error instanceof Error)) return new KafkaFault('NETWORK', what, { cause: error })
  const protocol = protocolErrorIn(error)
  if (protocol !== undefined) {
    const response = MultipleErrors.isMultipleErrors(error) ? error.response : undefined
    return new KafkaFault(protocol.apiId as string, what, { cause: protocol, response })
  }
  if (isAuthentication(error))
    return new KafkaFault('SASL_AUTHENTICATION_FAILED', what, { cause: error })
  if (GenericError.isGenericError(error)) return new KafkaFault('NETWORK', what, { cause: error })
  throw error
}

/** Whether an error is this answer of a broker. */
export function isFault(error: unknown, ...ids: readonly string[]): error is KafkaFault {
  return error instanceof KafkaFault && ids.includes(error.id)
}

/** A fault from an error code inside an answer. */
export function faultOf(code: number, what: string): KafkaFault {
  const known = Object.values(protocolErrors).find((each) => each.code === code)
  return new KafkaFault(known?.id ?? `error ${code}`, what, {
    cause: known && new Error(known.message),
  })
}

function protocolErrorIn(error: Error): ProtocolError | undefined {
  if ('apiId' in error && error.apiId !== undefined) return error as unknown as ProtocolError
  const inner = MultipleErrors.isMultipleErrors(error) ? error.errors : []
  const found = [...inner, error.cause]
    .map((each) => (each instanceof Error ? protocolErrorIn(each) : undefined))
    .filter((each) => each !== undefined)
  // The rest of a request of which another part failed.
  return found.find(({ apiId }) => apiId !== 'OPERATION_NOT_ATTEMPTED') ?? found[0]
}

function isAuthentication(error: Error): boolean {
  if ('code' in error && error.code === 'PLT_KFK_AUTHENTICATION') return true
  return error.cause instanceof Error && isAuthentication(error.cause)
}

const rights: Readonly<Record<string, string>> = {
  TOPIC_AUTHORIZATION_FAILED: 'Read, Write, Describe or Create on the topic',
  GROUP_AUTHORIZATION_FAILED: 'Read and Describe on the group',
  TRANSACTIONAL_ID_AUTHORIZATION_FAILED: 'Write and Describe on the transactional id',
  CLUSTER_AUTHORIZATION_FAILED: 'IdempotentWrite, or Create for topics, on the cluster',
}

function missingRight(id: string): string {
  const right = rights[id]
  return right === undefined ? '' : ` (the user needs ${right})`
}

const codes: Readonly<Record<string, ErrorCode>> = {
  NETWORK: 'CONNECTION_LOST',
  TOPIC_AUTHORIZATION_FAILED: 'ACCESS_DENIED',
  GROUP_AUTHORIZATION_FAILED: 'ACCESS_DENIED',
  CLUSTER_AUTHORIZATION_FAILED: 'ACCESS_DENIED',
  TRANSACTIONAL_ID_AUTHORIZATION_FAILED: 'ACCESS_DENIED',
  SASL_AUTHENTICATION_FAILED: 'ACCESS_DENIED',
  UNSUPPORTED_SASL_MECHANISM: 'ACCESS_DENIED',
  INVALID_PRODUCER_EPOCH: 'WRITER_FENCED',
  PRODUCER_FENCED: 'WRITER_FENCED',
  INVALID_PRODUCER_ID_MAPPING: 'WRITER_FENCED',
  INVALID_TXN_STATE: 'WRITER_FENCED',
  TRANSACTION_ABORTABLE: 'WRITER_FENCED',
  ILLEGAL_GENERATION: 'WRITER_FENCED',
  UNKNOWN_MEMBER_ID: 'WRITER_FENCED',
  REBALANCE_IN_PROGRESS: 'WRITER_FENCED',
  FENCED_INSTANCE_ID: 'WRITER_FENCED',
  UNKNOWN_PRODUCER_ID: 'CONNECTION_LOST',
  OUT_OF_ORDER_SEQUENCE_NUMBER: 'CONNECTION_LOST',
  UNKNOWN_TOPIC_ID: 'CONNECTION_LOST',
  MESSAGE_TOO_LARGE: 'RECORD_TOO_LARGE',
  RECORD_LIST_TOO_LARGE: 'RECORD_TOO_LARGE',
}

function codeOf(id: string): ErrorCode {
  const known = codes[id]
  if (known !== undefined) return known
  const canRetry = Object.values(protocolErrors).some((each) => each.id === id && each.canRetry)
  return canRetry ? 'CONNECTION_LOST' : 'SERVER_ERROR'
}

function describe(id: string, cause: unknown): string {
  const said = cause instanceof Error ? cause.message.replace(/\.$/, '') : ''
  const words = [id === 'NETWORK' ? 'no answer' : id, said].filter((word) => word !== '')
  const inner =
    cause instanceof Error && cause.cause instanceof Error ? `: ${cause.cause.message}` : ''
  return `${words.join(', ')}${inner}`
}
