import { z } from 'zod'

/** A URL or string with secrets in it: shown as `***` wherever configuration is printed. */
export const secrets = z.registry<{ readonly secret: true }>()

/** An option that must never be printed. */
export function secret(description: string) {
  return z.string().min(1).describe(description).register(secrets, { secret: true })
}

/**
 * Masks what stands between user and host in any URL of a text. Up to the last `@` of the word, as
 * a password that nobody has percent-encoded may hold `@` and `/` itself.
 */
export function maskUrl(text: string): string {
  return text.replaceAll(/(:\/\/)([^\s:@/"']*)(:?)[^\s"']*@/g, (_, slashes, user, colon) =>
    colon === ':' ? `${slashes}${user}:***@` : `${slashes}***@`,
  )
}
