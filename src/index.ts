/* What modules of views import: `import { defineView } from 'millrace'`. */

export type { Json, Row } from './core/json.ts'
export type { KeyValue } from './streams/key.ts'
export type { Joining, KTable, Nesting } from './streams/ktable.ts'
export { defineView, type ViewDefinition, type ViewScope } from './streams/view.ts'
