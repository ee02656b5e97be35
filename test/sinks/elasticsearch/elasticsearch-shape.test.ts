import t from 'tap'
import { useElasticsearch } from '../../support/servers/use.ts'
import { shapeSuite } from './shape-suite.ts'

t.setTimeout(300_000) // Two cores that also compile make a server slow.
shapeSuite('elasticsearch', (await useElasticsearch(t)).url)
