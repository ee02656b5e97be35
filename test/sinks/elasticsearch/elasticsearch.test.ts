import t from 'tap'
import { useElasticsearch } from '../../support/servers/use.ts'
import { sinkSuite } from './suite.ts'

t.setTimeout(300_000) // Two cores that also compile make a server slow.
sinkSuite('elasticsearch', (await useElasticsearch(t)).url)
