import { test } from 'tap'
import {
  type Promises,
  sinkContract as suite,
  type TargetUnderTest,
} from '../../src/contract/sink-contract.ts'

export type { Promises, TargetUnderTest }

/** The suite that everybody may run against a sink of their own, run by tap. */
export function sinkContract(
  name: string,
  promises: Promises,
  make: () => Promise<TargetUnderTest>,
): void {
  suite((sentence, body) => test(sentence, (t) => body(t)), { name, promises, make })
}
