/**
 * The candidate that somebody who wrote `name` most likely meant; undefined if none is near. Case,
 * hyphens and underscores do not count, and the first letters of one candidate alone are enough.
 */
export function nearest(name: string, candidates: Iterable<string>): string | undefined {
  const plain = plainly(name)
  const all = [...candidates]
  const limit = Math.max(1, Math.floor(plain.length / 3))
  let best: string | undefined
  let least = limit + 1
  for (const candidate of all) {
    const steps = distance(plain, plainly(candidate))
    if (steps < least) {
      least = steps
      best = candidate
    }
  }
  return best ?? onlyOneStartingWith(plain, all)
}

/** `; did you mean x?`, or what there is to choose from, or nothing. */
export function didYouMean(name: string, candidates: Iterable<string>): string {
  const all = [...new Set(candidates)]
  const meant = nearest(name, all)
  if (meant !== undefined) return `; did you mean ${meant}?`
  if (all.length === 0) return ''
  const shown = all.slice(0, 12).join(', ')
  return `; there is ${shown}${all.length > 12 ? ', …' : ''}`
}

/**
 * How many letters to insert, remove, replace or swap with their neighbour to get from one to the
 * other (optimal string alignment).
 */
export function distance(from: string, to: string): number {
  let beforeLast: number[] = []
  let last = Array.from({ length: to.length + 1 }, (_, i) => i)
  for (let i = 1; i <= from.length; i++) {
    const row = [i]
    for (let j = 1; j <= to.length; j++) {
      const same = from[i - 1] === to[j - 1]
      let steps = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + (same ? 0 : 1))
      if (i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1])
        steps = Math.min(steps, beforeLast[j - 2]! + 1)
      row.push(steps)
    }
    beforeLast = last
    last = row
  }
  return last[to.length]!
}

function plainly(name: string): string {
  return name.toLowerCase().replaceAll(/[-_ ]/g, '')
}

function onlyOneStartingWith(plain: string, candidates: readonly string[]): string | undefined {
  if (plain.length < 3) return undefined
  const found = candidates.filter((candidate) => plainly(candidate).startsWith(plain))
  return found.length === 1 ? found[0] : undefined
}
