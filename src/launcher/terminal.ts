import { once } from 'node:events'
import type { Mask } from './config/mask.ts'

/** Where a command writes. Everything passes the mask, so that no secret is ever printed. */
export interface Terminal {
  /** What was asked for: standard output. */
  print(text: string): Promise<void>
  /** What happens meanwhile: standard error, as sinks may write to standard output. */
  note(text: string): void
  /** A note that the next one takes the place of, on a terminal that can do so. */
  progress(text: string): void
  readonly isInteractive: boolean
  readonly color: boolean
}

export function openTerminal(mask?: Mask): Terminal {
  const clean = (text: string) => mask?.clean(text) ?? text
  const isInteractive = process.stderr.isTTY === true
  let passing = false
  let listening = false
  return {
    isInteractive,
    color: process.stdout.isTTY === true && !process.env.NO_COLOR,
    async print(text) {
      if (!listening) process.stdout.on('error', endQuietly)
      listening = true
      if (!process.stdout.write(`${clean(text)}\n`))
        await once(process.stdout, 'drain').catch(endQuietly)
    },
    note(text) {
      process.stderr.write(`${passing ? clearLine : ''}${clean(text)}\n`)
      passing = false
    },
    progress(text) {
      if (!isInteractive) return this.note(text)
      process.stderr.write(
        `${clearLine}${clean(text).slice(0, (process.stderr.columns ?? 80) - 1)}`,
      )
      passing = true
    },
  }
}

const clearLine = '\r\u001b[2K'

/** Whoever reads the output may have had enough, as `head` has. */
function endQuietly(): void {
  process.exit()
}
