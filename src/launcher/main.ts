import '../core/small-heap.ts'
import { runArguments } from './commands/arguments.ts'

/** Ends the process only when everything that was printed is out. */
process.exitCode = await runArguments(process.argv.slice(2))
process.exit()
