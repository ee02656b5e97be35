import type { Random } from './random.ts'

/*
 * What the program is in when it is killed:
 *
 *   snapshot     it copies the tables for the first time, several ranges of one of them at once
 *   stream       it follows the changes, at any moment
 *   large        it reads one transaction of 100,000 row changes, parts of which are rolled back
 *   sink-down    Redis, the search server or both do not answer
 *   target-kill  Redis, the search server or both are killed, and started again; Redis has then
 *                lost the last moment of what it had acknowledged
 *   restart      it is only starting, after it was killed before
 *   incremental  it reads tables again while it streams, because somebody asked it to
 *   vanish       it takes a new snapshot, as its slot was lost, and rows went meanwhile
 *   keys         it follows transactions that give many rows another key, or swap keys
 *   toast        it follows updates that do not send the large column
 *   schema       it follows ALTER TABLE, in transactions with changes of every row
 */
export const phases = [
  ...(['snapshot', 'stream', 'large', 'sink-down', 'target-kill', 'restart'] as const),
  ...(['incremental', 'vanish', 'keys', 'toast', 'schema'] as const),
] as const

export type Phase = (typeof phases)[number]

export function isPhase(text: string): text is Phase {
  return (phases as readonly string[]).includes(text)
}

/** Kills in the time of one data directory. */
const roundsOfLife = phases.length

/**
 * Cuts a campaign into lives, each a list of rounds that end with a kill in that phase. The phases
 * take turns, in an order of chance; a life begins with the snapshot, if that is wanted.
 */
export function planLives(
  rounds: number,
  random: Random,
  wanted: readonly Phase[] = phases,
): readonly (readonly Phase[])[] {
  const others = wanted.filter((phase) => phase !== 'snapshot')
  const first: readonly Phase[] = wanted.includes('snapshot') ? ['snapshot'] : []
  const lives: Phase[][] = []
  const turns: Phase[] = []
  for (let left = rounds; left > 0; left -= lives.at(-1)!.length) {
    const size = Math.min(left, roundsOfLife)
    // Every other life has its snapshot killed twice.
    const again = lives.length % 2 === 1 || others.length === 0 ? first : []
    const life: Phase[] = [...first, ...again].slice(0, size)
    while (life.length < size) {
      if (turns.length === 0) turns.push(...random.shuffle(others.length > 0 ? others : first))
      life.push(turns.shift()!)
    }
    lives.push(life)
  }
  return lives
}
