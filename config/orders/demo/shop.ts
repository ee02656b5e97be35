import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Client } from 'pg'

const cities = ['Lisbon', 'Oslo', 'Kraków', 'Cork', 'Ghent', 'Zürich', 'Turin', null]
const names = ['Ada', 'Grace', 'Alan', 'Edsger', 'Barbara', 'Donald', 'Radia', 'Leslie', 'Frances']
const families = ['Byron', 'Hopper', 'Turing', 'Liskov', 'Knuth', 'Perlman', 'Lamport', 'Allen']
const things = ['lamp', 'kettle', 'chair', 'bicycle', 'notebook', 'teapot', 'radio', 'scarf']
const colours = ['red', 'green', 'blue', 'grey', 'yellow', 'black', 'white', 'orange']
const statuses = ['new', 'paid', 'packed', 'shipped', 'returned']

/** Writes to the shop as an application would. The same seed makes the same changes. */
export class Shop {
  readonly #client: Client
  readonly #random: () => number
  /** Highest ids met, to pick rows by key. */
  #orders = 1
  #customers = 1

  constructor(client: Client, seed: number) {
    this.#client = client
    this.#random = randomFrom(seed)
  }

  /** Makes the tables. */
  async create(): Promise<void> {
    await this.#client.query(readFileSync(join(import.meta.dirname, '../schema.sql'), 'utf8'))
  }

  /** Adds rows, such as are there before anybody reads. */
  async fill(): Promise<void> {
    for (let i = 0; i < 40; i++) await this.#addProduct(i)
    for (let i = 0; i < 30; i++) await this.#addCustomer()
    for (let i = 0; i < 60; i++) await this.#placeOrder()
  }

  /** One change, in a transaction of one to many rows of several tables. */
  async change(): Promise<void> {
    const dice = this.#random()
    if (dice < 0.3) await this.#placeOrder()
    else if (dice < 0.5) await this.#moveOn()
    else if (dice < 0.62) await this.#changeItems()
    else if (dice < 0.72) await this.#moveCustomer()
    else if (dice < 0.8) await this.#reprice()
    else if (dice < 0.86) await this.#addCustomer()
    else if (dice < 0.91) await this.#renumber()
    else if (dice < 0.95) await this.#renameProduct()
    else await this.#deleteOrder()
  }

  async #placeOrder(): Promise<void> {
    await this.#together(async () => {
      const { rows } = await this.#client.query(
        `INSERT INTO orders (customer_id, note)
         VALUES ((SELECT id FROM customers WHERE id >= $1 ORDER BY id LIMIT 1), $2) RETURNING id`,
        [this.#anyCustomer(), this.#random() < 0.3 ? 'Please ring "twice"\nand wait.' : null],
      )
      this.#orders = Math.max(this.#orders, Number(rows[0].id))
      const count = 1 + this.#below(4)
      for (let line = 1; line <= count; line++) {
        await this.#client.query(
          `INSERT INTO order_items SELECT $1, $2, sku, $3
             FROM products ORDER BY hashtext(sku || $4::text) LIMIT 1`,
          [rows[0].id, line, 1 + this.#below(5), this.#below(1e6)],
        )
      }
    })
  }

  async #moveOn(): Promise<void> {
    await this.#client.query('UPDATE orders SET status = $1 WHERE id = $2', [
      this.#pick(statuses),
      await this.#anyOrder(),
    ])
  }

  async #changeItems(): Promise<void> {
    const order = await this.#anyOrder()
    await this.#together(async () => {
      await this.#client.query(
        'UPDATE order_items SET quantity = quantity + $2 WHERE order_id = $1',
        [order, 1 + this.#below(3)],
      )
      await this.#client.query(
        `DELETE FROM order_items WHERE order_id = $1 AND line =
           (SELECT max(line) FROM order_items WHERE order_id = $1 HAVING count(*) > 1)`,
        [order],
      )
    })
  }

  async #moveCustomer(): Promise<void> {
    await this.#client.query('UPDATE customers SET city = $1 WHERE id = $2', [
      this.#pick(cities),
      this.#anyCustomer(),
    ])
  }

  async #reprice(): Promise<void> {
    await this.#client.query(
      `UPDATE products SET price = price + 0.25 WHERE sku =
         (SELECT sku FROM products ORDER BY hashtext(sku || $1::text) LIMIT 1)`,
      [this.#below(1e6)],
    )
  }

  /** A key of two columns changes for every item of an order. */
  async #renumber(): Promise<void> {
    await this.#client.query('UPDATE order_items SET line = line + 100 WHERE order_id = $1', [
      await this.#anyOrder(),
    ])
  }

  /** A key changes, and with it every row that points at it, in one transaction. */
  async #renameProduct(): Promise<void> {
    await this.#client.query(
      `UPDATE products SET sku = split_part(sku, '~', 1) || '~' || $1::text WHERE sku =
         (SELECT sku FROM products ORDER BY hashtext(sku || $1::text) LIMIT 1)`,
      [this.#below(1e6)],
    )
  }

  async #deleteOrder(): Promise<void> {
    await this.#client.query('DELETE FROM orders WHERE id = $1', [await this.#anyOrder()])
  }

  async #addProduct(i: number): Promise<void> {
    await this.#client.query('INSERT INTO products VALUES ($1, $2, $3)', [
      `${this.#pick(things)}-${i}-${this.#below(1e6)}`,
      `${this.#pick(colours)} ${this.#pick(things)}`,
      (this.#below(10_000) / 100).toFixed(2),
    ])
  }

  async #addCustomer(): Promise<void> {
    const name = `${this.#pick(names)} ${this.#pick(families)}`
    const { rows } = await this.#client.query(
      'INSERT INTO customers (name, email, city) VALUES ($1, $2, $3) RETURNING id',
      [name, `${name.toLowerCase().replace(' ', '.')}@example.org`, this.#pick(cities)],
    )
    this.#customers = Math.max(this.#customers, Number(rows[0].id))
  }

  async #anyOrder(): Promise<string | null> {
    const { rows } = await this.#client.query(
      'SELECT id FROM orders WHERE id >= $1 ORDER BY id LIMIT 1',
      [1 + this.#below(this.#orders)],
    )
    return rows[0]?.id ?? null
  }

  #anyCustomer(): number {
    return 1 + this.#below(this.#customers)
  }

  async #together(work: () => Promise<void>): Promise<void> {
    await this.#client.query('BEGIN')
    try {
      await work()
      await this.#client.query('COMMIT')
    } catch (error) {
      await this.#client.query('ROLLBACK')
      throw error
    }
  }

  #below(bound: number): number {
    return Math.floor(this.#random() * bound)
  }

  #pick<T>(values: readonly T[]): T {
    return values[this.#below(values.length)]!
  }
}

/** Small and repeatable (mulberry32, by Tommy Ettinger); nothing here is secret. */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
