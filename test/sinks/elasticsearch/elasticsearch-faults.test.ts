import t from 'tap'
import { useElasticsearch } from '../../support/servers/use.ts'
import { faultSuite } from './fault-suite.ts'

t.setTimeout(300_000) // Two cores that also compile make a server slow.
faultSuite('elasticsearch', (await useElasticsearch(t)).url)
