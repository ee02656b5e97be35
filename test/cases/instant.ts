const grammar =
  /^(\d{4,})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?(Z|([+-])(\d\d)(?::?(\d\d))?)$/

/** Microseconds since 1970 of a time with an offset, as ISO 8601 or PostgreSQL writes it. */
export function parseInstant(text: string): bigint | undefined {
  const parts = grammar.exec(text)
  if (parts === null) return undefined
  const [, year, month, day, hour, minute, second, fraction = '', , sign = '+'] = parts
  const date = Date.UTC(Number(year), Number(month) - 1, Number(day))
  const time = (Number(hour) * 60 + Number(minute)) * 60 + Number(second)
  const offset = (Number(parts[10] ?? 0) * 60 + Number(parts[11] ?? 0)) * 60
  const seconds = BigInt(date / 1000 + time - (sign === '-' ? -offset : offset))
  return seconds * 1_000_000n + BigInt(fraction.padEnd(6, '0'))
}
