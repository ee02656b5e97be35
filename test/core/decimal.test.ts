import fc from 'fast-check'
import { test } from 'tap'
import { Decimal } from '../../src/core/decimal.ts'
import { usePostgres } from '../support/servers/use.ts'

const digits = fc
  .tuple(fc.bigInt({ min: -(10n ** 30n), max: 10n ** 30n }), fc.integer({ min: 0, max: 20 }))
  .map(([value, scale]) => {
    const text = String(value < 0n ? -value : value).padStart(scale + 1, '0')
    const point = text.length - scale
    const fraction = scale === 0 ? '' : `.${text.slice(point)}`
    return `${value < 0n ? '-' : ''}${text.slice(0, point)}${fraction}`
  })

const of = (text: string) => Decimal.of(text)!

const operations = {
  '+': (a: string, b: string) => of(a).plus(of(b)),
  '-': (a: string, b: string) => of(a).minus(of(b)),
  '*': (a: string, b: string) => of(a).times(of(b)),
  '/': (a: string, b: string) => of(a).over(of(b)),
  '%': (a: string, b: string) => of(a).remainder(of(b)),
}

test('decimals have the digits that Postgres gives', async (t) => {
  const db = await usePostgres(t)
  const pairs = fc.sample(fc.tuple(digits, digits), 300).filter(([, b]) => !/^-?[0.]+$/.test(b))
  for (const [operator, apply] of Object.entries(operations)) {
    const rows = await db.query<{ result: string }>(
      `select (a::numeric ${operator} b::numeric)::text as result
         from unnest($1::text[], $2::text[]) with ordinality as t(a, b, place) order by place`,
      [pairs.map(([a]) => a), pairs.map(([, b]) => b)],
    )
    const ours = pairs.map(([a, b]) => `${a} ${operator} ${b} = ${apply(a, b)}`)
    t.same(
      ours,
      pairs.map(([a, b], i) => `${a} ${operator} ${b} = ${rows[i]!.result}`),
    )
  }
})

test('decimals are ordered by their value, whatever their digits behind the point', (t) => {
  fc.assert(
    fc.property(digits, digits, (a, b) => {
      const [left, right] = [of(a), of(b)]
      t.equal(Math.sign(left.compare(right)), -Math.sign(right.compare(left)))
      t.equal(left.compare(of(`${a}${a.includes('.') ? '' : '.'}00`)), 0)
      t.equal(left.minus(right).compare(of('0')), left.compare(right))
    }),
  )
  t.end()
})

test('doubles stand for the digits that they are written with', (t) => {
  t.equal(String(Decimal.of(1.19)), '1.19')
  t.equal(String(Decimal.of(1e-7)), '0.0000001')
  t.equal(String(Decimal.of(1e21)), '1000000000000000000000')
  t.equal(String(Decimal.of(-5n)), '-5')
  t.end()
})

test('what is no finite number is no decimal', (t) => {
  for (const text of ['', '.', 'NaN', 'Infinity', '1,5', '0x1', '1e99999']) {
    t.equal(Decimal.of(text), undefined, text)
  }
  t.end()
})

test('decimals are rounded half away from zero', (t) => {
  const rounded = ['0.05', '-0.05', '2.449', '7'].map((text) => String(of(text).rounded(1)))
  t.same(rounded, ['0.1', '-0.1', '2.4', '7.0'])
  t.end()
})
