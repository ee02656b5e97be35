import fc from 'fast-check'
import { test } from 'tap'
import { didYouMean, distance, nearest } from '../../../src/launcher/config/nearest.ts'

const sinks = ['elasticsearch', 'redis', 'sqlite', 'file']

test('a slip of the pen finds the name that was meant', async (t) => {
  const meant = {
    elasticserch: 'elasticsearch',
    elasticsaerch: 'elasticsearch',
    Elastic_Search: 'elasticsearch',
    elastic: 'elasticsearch',
    redsi: 'redis',
    sqllite: 'sqlite',
    fiel: 'file',
  }
  for (const [written, name] of Object.entries(meant)) t.equal(nearest(written, sinks), name)
})

test('a name unlike any other finds nothing', async (t) => {
  for (const written of ['kafka', 'x', '', 'mongodb']) t.equal(nearest(written, sinks), undefined)
})

test('first letters that several names have in common suggest none of them', async (t) => {
  t.equal(nearest('pub', ['public.orders', 'public.customers']), undefined)
})

test('without a near name, what there is gets listed', async (t) => {
  t.equal(didYouMean('kafka', sinks), '; there is elasticsearch, redis, sqlite, file')
  t.equal(didYouMean('redsi', sinks), '; did you mean redis?')
  t.equal(didYouMean('kafka', []), '')
})

test('a long list of names is cut', async (t) => {
  const names = Array.from({ length: 20 }, (_, i) => `column_${i}_of_many`)
  t.match(didYouMean('zzz', names), /column_11_of_many, …$/)
})

test('the distance is 0 for the same text only, and the same in both directions', async (t) => {
  const word = fc.string({ maxLength: 8 })
  fc.assert(
    fc.property(word, word, (a, b) => {
      t.equal(distance(a, b) === 0, a === b)
      t.equal(distance(a, b), distance(b, a))
    }),
    { numRuns: 200 },
  )
})

test('neighbours that have changed places are one step', async (t) => {
  t.equal(distance('tabels', 'tables'), 1)
  t.equal(distance('kitten', 'sitting'), 3)
})
