/* What tests of a sink of one's own import: `import { nodeRun } from 'millrace/sink-contract'`. */

export { type Check, nodeRun, type Run } from './contract/check.ts'
export { batch, put, remove, tombstone } from './contract/records.ts'
export {
  type Promises,
  type SinkUnderTest,
  sinkContract,
  type TargetUnderTest,
} from './contract/sink-contract.ts'
