import t from 'tap'
import { useElasticsearch } from '../../support/servers/use.ts'
import { sinkSuite } from './suite.ts'

sinkSuite('elasticsearch', (await useElasticsearch(t)).url)
