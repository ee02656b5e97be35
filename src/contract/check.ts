import assert from 'node:assert/strict'
import { test } from 'node:test'

/** What the suite checks with: any test framework can do it. */
export interface Check {
  ok(value: unknown, ...what: What): void
  /** Compares two plain values. */
  equal(found: unknown, wanted: unknown, ...what: What): void
  /** Compares two values in depth. */
  same(found: unknown, wanted: unknown, ...what: What): void
  /** Awaits a failure whose `code` is the wanted one. */
  rejects(promise: Promise<unknown>, wanted: { readonly code: string }): Promise<unknown>
}

/** What a check says, if it says anything. */
export type What = [] | [string]

/** Registers a test, or runs it. */
export type Run = (name: string, body: (t: Check) => Promise<void>) => unknown

const check: Check = {
  ok: (value, ...what) => assert.ok(value, ...what),
  equal: (found, wanted, ...what) => assert.equal(found, wanted, ...what),
  same: (found, wanted, ...what) => assert.deepEqual(found, wanted, ...what),
  rejects: (promise, { code }) => assert.rejects(promise, { code }),
}

/** By Node's own test runner. */
export const nodeRun: Run = (name, body) => test(name, () => body(check))
