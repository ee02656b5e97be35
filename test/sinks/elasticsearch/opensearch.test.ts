import t from 'tap'
import { useOpensearch } from '../../support/servers/use.ts'
import { sinkSuite } from './suite.ts'

t.setTimeout(300_000) // Two cores that also compile make a server slow.
sinkSuite('opensearch', (await useOpensearch(t)).url)
