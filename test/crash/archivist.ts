import type { Client } from 'pg'
import { newBody } from './archive-database.ts'
import { Random } from './random.ts'

const anyPaper = 'SELECT id FROM papers WHERE id >= $1 ORDER BY id LIMIT 1'

/** Writes to the archive as an application would. The same seed makes the same changes. */
export class Archivist {
  readonly #client: Client
  readonly #random: Random

  constructor(client: Client, seed: number) {
    this.#client = client
    this.#random = new Random(seed)
  }

  async change(): Promise<void> {
    const dice = this.#random.below(100)
    const at = await this.#somewhere()
    if (dice < 20) await this.#client.query(`INSERT INTO papers (body) VALUES (${newBody})`)
    else if (dice < 60) await this.#update('grade = grade + 1', at)
    else if (dice < 70) await this.#update(`body = ${newBody}`, at)
    else if (dice < 80) await this.#update('id = id + 1', at)
    else if (dice < 90)
      await this.#client.query(`DELETE FROM papers WHERE id = (${anyPaper})`, [at])
    else await swapKeys(this.#client, at)
  }

  async #update(change: string, at: string): Promise<void> {
    await this.#client.query(`UPDATE papers SET ${change} WHERE id = (${anyPaper})`, [at])
  }

  async #somewhere(): Promise<string> {
    const { rows } = await this.#client.query('SELECT last_value AS last FROM paper_ids')
    return String(this.#random.below(Number(rows[0].last)))
  }
}

/** Two rows that are next to each other change places, by way of a key that nobody has. */
export async function swapKeys(client: Client, at: string): Promise<void> {
  const { rows } = await client.query(
    'SELECT id FROM papers WHERE id >= $1 AND id > 0 ORDER BY id LIMIT 2 FOR UPDATE',
    [at],
  )
  const [one, other] = rows
  if (other === undefined) return
  // Statements sent as one are one transaction.
  const move = (from: string, to: string) => `UPDATE papers SET id = ${to} WHERE id = ${from};`
  await client.query(
    move(one.id, `-${one.id}`) + move(other.id, one.id) + move(`-${one.id}`, other.id),
  )
}
