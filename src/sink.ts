/* What a sink of one's own imports: `import { foldDocuments } from 'millrace/sink'`. */

export {
  advance,
  assertHeld,
  type CheckpointPlace,
  checkpointKey,
  claim,
  configDigest,
  decodeCheckpoint,
  encodeCheckpoint,
  type StoredCheckpoint,
} from './core/checkpoint.ts'
export { type Document, decodeDocument } from './core/document.ts'
export { type IdOf, idTemplate, idTemplateOption, keyId } from './core/document-id.ts'
export { type Envelope, type Op, readEnvelope } from './core/envelope.ts'
export { type ErrorCode, MillraceError } from './core/errors.ts'
export {
  type Candidate,
  type Fold,
  foldDocuments,
  type Held,
  settle,
  supersedes,
} from './core/fold.ts'
export type { Finding, SinkContext, SinkPlugin } from './core/plugin.ts'
export type { Reading, StoredDocument, ToldState } from './core/reading.ts'
export type { LogRecord, NewRecord } from './core/record.ts'
export type { Reindexing } from './core/reindexing.ts'
export type { Column, ColumnKind, Schema } from './core/schema.ts'
export { secret } from './core/secret.ts'
export type { Checkpoint, Outcome, Refusal, Sink } from './core/sink.ts'
export type { Batch, Position } from './core/source.ts'
export { backoffMs } from './core/supervise.ts'
