import { runCommand } from '../../src/launcher/commands/run.ts'
import { breakParts, isSabotage } from './sabotage.ts'

/** The program, broken: `sabotaged.ts <sabotage> <configuration>`. */
const [sabotage = '', file = ''] = process.argv.slice(2)
if (!isSabotage(sabotage)) throw new Error(`no sabotage "${sabotage}"`)
const change = breakParts(sabotage, process.env.SQLITE_PATH ?? '')
process.exitCode = await runCommand(file, { change })
process.exit()
