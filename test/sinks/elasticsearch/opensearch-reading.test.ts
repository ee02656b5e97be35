import t from 'tap'
import { useOpensearch } from '../../support/servers/use.ts'
import { readingSuite } from './reading.ts'

t.setTimeout(300_000) // Two cores that also compile make a server slow.
readingSuite('opensearch', (await useOpensearch(t)).url)
