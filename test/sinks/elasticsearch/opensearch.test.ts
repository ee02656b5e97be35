import t from 'tap'
import { useOpensearch } from '../../support/servers/use.ts'
import { sinkSuite } from './suite.ts'

sinkSuite('opensearch', (await useOpensearch(t)).url)
