import { z } from 'zod'

/** A URL or string with secrets in it: shown as `***` wherever configuration is printed. */
export const secrets = z.registry<{ readonly secret: true }>()

/** An option that must never be printed. */
export function secret(description: string) {
  return z.string().min(1).describe(description).register(secrets, { secret: true })
}

/** A URL for people: the password, if any, is masked. */
export function maskUrl(url: string): string {
  return url.replace(/(\/\/[^:@/]*):[^@/]*@/, '$1:***@')
}
