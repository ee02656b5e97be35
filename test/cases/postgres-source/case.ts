import { z } from 'zod'

/**
 * One case of a `postgres-source` file. Strict: a field that is not known would be an expectation
 * that nobody checks.
 */
const expectedRecord = z.strictObject({
  topic: z.string().optional(),
  op: z.string().optional(),
  key: z.unknown().optional(),
  before: z.unknown().optional(),
  after: z.unknown().optional(),
  source: z.unknown().optional(),
  transaction: z.unknown().optional(),
  message: z.unknown().optional(),
  value: z.unknown().optional(),
  headers: z.record(z.string(), z.unknown()).optional(),
  tombstone: z.literal(true).optional(),
  // Of the schemas that Debezium may send along; records here carry none in their JSON.
  schemaParams: z.unknown().optional(),
  fieldType: z.unknown().optional(),
})

const caseShape = z.strictObject({
  name: z.string(),
  group: z.string().default(''),
  phase: z.enum(['stream', 'stream+snapshot', 'both', 'snapshot']),
  ddl: z.array(z.string()),
  dml: z.array(z.string()),
  config: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
  expect: z.strictObject({
    compare: z.literal('subset'),
    records: z.array(expectedRecord),
    error: z.boolean().optional(),
    serverError: z.boolean().optional(),
    invariants: z.array(z.string()).optional(),
    countsByTopic: z.record(z.string(), z.int()).optional(),
    noRecordsOn: z.array(z.string()).optional(),
    sameAcross: z.array(z.array(z.string())).optional(),
  }),
  requires: z
    .strictObject({ extensions: z.array(z.string()).optional(), pg: z.string().optional() })
    .optional(),
  source: z.string().optional(),
  notes: z.string().optional(),
})

export type PostgresCase = z.output<typeof caseShape>
export type ExpectedRecord = z.output<typeof expectedRecord>
export type Expectation = PostgresCase['expect']

export type ReadCase =
  | { readonly name: string; readonly group: string; readonly faults: readonly string[] }
  | { readonly name: string; readonly group: string; readonly parsed: PostgresCase }

/** Reads one entry of the file. One that is not understood keeps its name, and fails. */
export function readCase(entry: unknown, index: number): ReadCase {
  const { success, data, error } = caseShape.safeParse(entry)
  if (success) return { name: data.name, group: data.group, parsed: data }
  const { name = `entry ${index}`, group = '' } = (entry ?? {}) as Record<string, string>
  const faults = error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`)
  return { name, group, faults }
}
