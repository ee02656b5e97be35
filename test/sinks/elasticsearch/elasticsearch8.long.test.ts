import t from 'tap'
import { useElasticsearch } from '../../support/servers/use.ts'
import { faultSuite } from './fault-suite.ts'
import { shapeSuite } from './shape-suite.ts'
import { sinkSuite } from './suite.ts'

t.setTimeout(600_000) // Two cores that also compile make a server slow.
const { url } = await useElasticsearch(t, { version: '8.19.21' })
sinkSuite('elasticsearch 8.19', url)
shapeSuite('elasticsearch 8.19', url)
faultSuite('elasticsearch 8.19', url)
