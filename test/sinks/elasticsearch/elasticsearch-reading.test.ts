import t from 'tap'
import { useElasticsearch } from '../../support/servers/use.ts'
import { readingSuite } from './reading.ts'

t.setTimeout(300_000) // Two cores that also compile make a server slow.
readingSuite('elasticsearch', (await useElasticsearch(t)).url)
