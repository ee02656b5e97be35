export { apply, source } from '../../src/contract/sink-steps.ts'
