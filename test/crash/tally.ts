import { type Phase, phases } from './plan.ts'

/** The rate of row changes that a kill should come in, in rows/s. */
export const wantedRate = 500

/** What came of a campaign. */
export class Tally {
  rounds = 0
  /** Documents that a sink did not have at the end of a life. */
  lost = 0
  /** Documents that were different or extra; an end of the program that nobody had asked for. */
  wrong = 0
  /** Documents whose version fell, or that came back after they were deleted. */
  regressions = 0
  readonly #kills: { readonly phase: Phase; readonly rate: number }[] = []

  kill(phase: Phase, rate: number): void {
    this.#kills.push({ phase, rate })
  }

  get isClean(): boolean {
    return this.lost + this.wrong + this.regressions === 0 && this.#kills.length > 0
  }

  /** The last line is the campaign's result. */
  get lines(): readonly string[] {
    const counts = phases.map((phase) => {
      return `${phase} ${this.#kills.filter((kill) => kill.phase === phase).length}`
    })
    const rates = this.#kills.map(({ rate }) => rate).sort((a, b) => a - b)
    const slow = rates.filter((rate) => rate < wantedRate).length
    const { rounds, lost, wrong, regressions } = this
    const kills = rates.length
    return [
      `kills by phase: ${counts.join(', ')}`,
      `row changes in the second before a kill: at least ${rates[0] ?? 0}, median ${rates[kills >> 1] ?? 0}`,
      ...(slow > 0 ? [`${slow} of ${kills} kills came at less than ${wantedRate} rows/s`] : []),
      `rounds ${rounds}, kills ${kills}, lost ${lost}, wrong ${wrong}, regressions ${regressions}`,
    ]
  }
}
