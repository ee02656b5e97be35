import { clusterSuite } from './cluster-suite.ts'

clusterSuite('valkey9')
