/**
 * Does it again until it is done. Clients that write the same rows meet deadlocks (40…) and broken
 * constraints (23…), or a table that is not as it was when they prepared (0A000).
 */
export async function untilDone<T>(work: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await work()
    } catch (error) {
      assertOrdinary(error)
    }
  }
}

export function assertOrdinary(error: unknown): void {
  const code = (error as { code?: string }).code ?? ''
  if (!/^(23|40|0A000)/.test(code)) throw error
}
