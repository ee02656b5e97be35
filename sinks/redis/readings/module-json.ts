const largest = 2n ** 64n - 1n
const smallest = -(2n ** 63n)

/**
 * JSON with the numbers that the JSON module keeps: whole ones of 64 bits digit by digit, all
 * others as doubles. What it gives back comes to the same text as what was stored.
 */
export function asModuleKeeps(json: string): string {
  return json.replace(/"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*/g, (token) => {
    return token.startsWith('"') ? token : numberOf(token)
  })
}

function numberOf(digits: string): string {
  if (/^-?\d+$/.test(digits)) {
    const whole = BigInt(digits)
    if (whole >= smallest && whole <= largest) return String(whole)
  }
  return String(Number(digits))
}
