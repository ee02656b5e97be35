/* What modules of views and their tests import: `import { defineView } from 'millrace'`. */

export type { Json, Row } from './core/json.ts'
export type { CogroupedStream } from './streams/cogrouped-stream.ts'
export type { FlowRecord, ReadableStore, StoredEntry } from './streams/flow/flow.ts'
export type { EmissionMode } from './streams/flow-graph.ts'
export type { GlobalKTable } from './streams/global-ktable.ts'
export type { KeyValue } from './streams/key.ts'
export type { Aggregating, KGroupedStream, WindowedBy } from './streams/kgrouped-stream.ts'
export type { KGroupedTable, TableAggregating } from './streams/kgrouped-table.ts'
export type { JoinWindows, KStream, TableStoring } from './streams/kstream.ts'
export type { Joining, KTable, Nesting, Stored } from './streams/ktable.ts'
export type { DueTimer, Processing, Processor, ProcessorStore } from './streams/processor.ts'
export type { Route, Routes } from './streams/routes.ts'
export {
  defineTopology,
  type StreamReading,
  type StreamScope,
  type TopologyDefinition,
  type TopologyOptions,
} from './streams/stream-topology.ts'
export {
  type TestInput,
  type TestOptions,
  type TestRecord,
  type TestTopology,
  testTopology,
} from './streams/test-topology.ts'
export { defineView, type ViewDefinition, type ViewScope } from './streams/view.ts'
export type { WindowAggregating, WindowedStream } from './streams/windowed-stream.ts'
export {
  hopping,
  type SessionWindows,
  type SlidingWindows,
  session,
  sliding,
  type TimeWindows,
  tumbling,
  type Windowed,
  type Windows,
} from './streams/windows.ts'
