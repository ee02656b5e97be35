import type { Command } from 'commander'
import type { ExitCode } from '../exit.ts'

const orders = {
  pause: 'Let it finish what it writes, then stand still, also over a restart.',
  resume: 'Let a paused connector go on from where it was.',
  restart: 'Close its connections and make them again; one that waits to try again tries at once.',
} as const

/** The commands that stop one connector and let it go on. */
export function addConnectorCommands(program: Command, end: (code: ExitCode) => void): void {
  const connector = program
    .command('connector')
    .description('Pause, resume or restart one connector while all else runs.')
  connector.addHelpText(
    'after',
    `
Examples:
  $ millrace connector pause pipeline.yaml db
  $ millrace connector resume pipeline.yaml db`,
  )
  for (const order of ['pause', 'resume', 'restart'] as const) {
    connector
      .command(order)
      .description(orders[order])
      .argument('<file>', 'the configuration of the pipeline')
      .argument('<connector>', 'its name in the configuration')
      .action(async (file: string, which: string) => {
        const { connectorCommand } = await import('./connectors.ts')
        end(await connectorCommand(file, which, order))
      })
  }
}
