/*
 * Keys that lie beside a key of Redis, in the same slot of a cluster, so that one script may write
 * both. For the key `order:42` and the head `millrace:v`:
 *
 *   millrace:v{order:42}      the key is the hash tag
 *   millrace:v:order:{42}     the key has a hash tag itself
 *
 * A cluster places a key by what stands between its first "{" and the next "}", if anything does;
 * so a key with a "}" and no tag is the one case that a cluster cannot pair.
 */

/** The key beside `key` whose name begins with `head`. */
export function companionKey(head: string, key: string): string {
  return hasHashTag(key) ? `${head}:${key}` : `${head}{${key}}`
}

/** The key that a companion lies beside. */
export function keyOfCompanion(head: string, companion: string): string {
  return companion[head.length] === ':'
    ? companion.slice(head.length + 1)
    : companion.slice(head.length + 1, -1)
}

/** Holds the version of what was last written or invalidated under a key. */
export const stampHead = 'millrace:v'

/** Holds the token of the one reader that may fill a key of a cache. */
export const leaseHead = 'millrace:l'

export function hasHashTag(key: string): boolean {
  const open = key.indexOf('{')
  return open >= 0 && key.indexOf('}', open + 1) > open + 1
}
