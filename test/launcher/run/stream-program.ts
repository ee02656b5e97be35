/*
 * The shop of stream-shop.ts as a process of its own, to be killed:
 *
 *   node stream-program.ts <brokers> <prefix> <directory> <partitions of topics> <tasks>
 */
import { openLogIn } from '../../log/kafka/open.ts'
import { runShop, shopTopology } from './stream-shop.ts'

const [brokers, prefix, directory, partitions, tasks] = process.argv.slice(2) as string[]
const given = { partitions: Number(partitions), sessionTimeoutMs: 6_000 }
const log = openLogIn(directory!, brokers!, prefix!, given)
const running = runShop(log, prefix!, shopTopology(prefix!, { tasks: Number(tasks) }))
const { meter } = running.parts.streams![0]!
setInterval(() => meter.reason !== null && console.log(meter.state, meter.reason), 500).unref()
process.on('SIGTERM', () => void running.stop().then(() => process.exit(0)))
