import type { Random } from './random.ts'

/**
 * What the program is in when it is killed:
 * - `snapshot`: it copies the tables for the first time;
 * - `stream`: it follows the changes, at any moment;
 * - `large`: it decodes one transaction of 50,000 row changes, or has just done so;
 * - `sink-down`: Redis, the search server or both do not answer;
 * - `restart`: it is only starting, after it was killed before.
 */
export type Phase = 'snapshot' | 'stream' | 'large' | 'sink-down' | 'restart'

export const phases: readonly Phase[] = ['snapshot', 'stream', 'large', 'sink-down', 'restart']

/** Kills in the time of one data directory. */
const roundsOfLife = 10

/**
 * Cuts a campaign into lives, each a list of rounds that end with a kill in that phase. A life
 * begins with the snapshot; every phase comes up in its first five rounds.
 */
export function planLives(rounds: number, random: Random): readonly (readonly Phase[])[] {
  const lives: Phase[][] = []
  for (let left = rounds; left > 0; left -= roundsOfLife) {
    const again: Phase[] = lives.length % 2 === 1 ? ['snapshot'] : []
    const life: Phase[] = [
      ...(['snapshot', ...again] as const),
      ...random.shuffle<Phase>(['stream', 'large', 'sink-down', 'restart']),
      ...random.shuffle<Phase>(['stream', 'stream', 'large', 'sink-down', 'restart']),
    ]
    lives.push(life.slice(0, Math.min(left, roundsOfLife)))
  }
  return lives
}
