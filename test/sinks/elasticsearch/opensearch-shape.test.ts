import t from 'tap'
import { useOpensearch } from '../../support/servers/use.ts'
import { shapeSuite } from './shape-suite.ts'

t.setTimeout(300_000) // Two cores that also compile make a server slow.
shapeSuite('opensearch', (await useOpensearch(t)).url)
