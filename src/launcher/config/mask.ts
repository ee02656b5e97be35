import { maskUrl } from '../../core/secret.ts'

const masked = '***'

/** Texts shorter than this are not looked for in other text: they would be found everywhere. */
const leastLength = 4

/** The secrets of a configuration, and the way to keep them out of whatever is printed. */
export class Mask {
  readonly #secrets = new Set<string>()
  readonly #plain: ReadonlySet<string>

  /**
   * The words in `plain` stay readable even where somebody has made one a password: `postgres` is
   * what everybody tries first, and it is in every second line. In a URL it is masked all the same.
   */
  constructor(plain: Iterable<string> = []) {
    this.#plain = new Set(plain)
  }

  /** Hides a secret, and the password in it if it is a URL. */
  hide(secret: string): void {
    this.#add(secret)
    this.hidePasswords(secret)
  }

  /** Hides the passwords of the URLs in a text that is no secret itself. */
  hidePasswords(text: string): void {
    for (const password of passwords(text)) this.#add(password)
  }

  /** The text without any secret in it, for people to read. */
  clean(text: string): string {
    let clean = text
    const longestFirst = [...this.#secrets].sort((a, b) => b.length - a.length)
    for (const secret of longestFirst) clean = clean.replaceAll(secret, masked)
    return maskUrl(clean)
  }

  #add(secret: string): void {
    for (const form of [secret, decoded(secret), encoded(secret)]) {
      if (form.length >= leastLength && !this.#plain.has(form)) this.#secrets.add(form)
    }
  }
}

/** The passwords of the URLs in a text. */
export function passwords(text: string): readonly string[] {
  return [...text.matchAll(/:\/\/[^\s:@/"']*:([^\s"']*)@/g)].map((match) => match[1]!)
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** A lone surrogate has no encoding. */
function encoded(text: string): string {
  return encodeURIComponent(text.toWellFormed())
}
