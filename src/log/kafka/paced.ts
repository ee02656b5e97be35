export interface Paced<T> {
  /** Passes on what is newest, now or once it is due. */
  give(value: T): void
  /** Passes on at once what was not passed on yet. */
  flush(): Promise<void>
}

/** Passes on the newest of many values, so often at the most; what fails is not tried again. */
export function paced<T>(pass: (value: T) => Promise<void>, everyMs: number): Paced<T> {
  let newest: { readonly value: T } | undefined
  let pause: NodeJS.Timeout | undefined
  const send = async () => {
    const sent = newest
    newest = undefined
    if (sent !== undefined) await pass(sent.value).catch(() => {})
  }
  const due = () => {
    pause = undefined
    if (newest === undefined) return
    pause = setTimeout(due, everyMs).unref()
    void send()
  }
  return {
    give(value) {
      newest = { value }
      if (pause === undefined) due()
    },
    async flush() {
      clearTimeout(pause)
      pause = undefined
      await send()
    },
  }
}
