/** Names and their values, such as `process.env`. */
export type Environment = Readonly<Record<string, string | undefined>>

export interface Interpolated {
  readonly text: string
  /** Whether anything came from outside the text, so that the text must not be shown. */
  readonly replaced: boolean
  readonly faults: readonly InterpolationFault[]
}

export interface InterpolationFault {
  /** What to look for in the text as it is written: `${NAME`. */
  readonly written: string
  readonly name?: string
}

/**
 * Puts variables into one scalar: `${NAME}`, or `${NAME:-default}` for one missing or empty.
 * `$${` stands for a literal `${`. Values are taken as they are: they are never looked at again.
 */
export function interpolate(text: string, environment: Environment): Interpolated {
  const faults: InterpolationFault[] = []
  let replaced = false
  const result = text.replaceAll(reference, (found, name?: string, otherwise?: string) => {
    if (found === '$${') return '${'
    if (name === undefined) {
      faults.push({ written: '${' })
      return found
    }
    replaced = true
    const value = Object.hasOwn(environment, name) ? environment[name] : undefined
    if (otherwise !== undefined) return value || otherwise
    if (value === undefined) faults.push({ written: `\${${name}`, name })
    return value ?? ''
  })
  return { text: result, replaced, faults }
}

const reference = /\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}|\$\{/g
