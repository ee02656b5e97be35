export {
  type After,
  batch,
  type Key,
  moved,
  note,
  type Place,
  put,
  remove,
  tombstone,
} from '../../src/contract/records.ts'
