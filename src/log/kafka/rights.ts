import {
  DescribeClusterEndpointTypes,
  describeClusterV0,
  describeGroupsV5,
} from '@platformatic/kafka'
import type { Finding } from '../../core/plugin.ts'
import type { Cluster } from './cluster.ts'
import { isFault } from './fault.ts'

/** Kafka's rights, with the bits by which brokers tell them. */
const bits = { Read: 3, Write: 4, Create: 5, Describe: 8, DescribeConfigs: 10 } as const

type Right = keyof typeof bits

const hint = 'Grant it with kafka-acls.sh.'

export interface Needed {
  readonly pipeline: string
  /** Which the pipeline reads and writes; those that do not exist are passed over. */
  readonly topics: readonly string[]
  /** Whether others have to be made. */
  readonly makesTopics: boolean
}

/** Names the rights that the user lacks. Of a transactional id none can be asked but Describe. */
export async function* checkRights(
  cluster: Cluster,
  { pipeline, topics, makesTopics }: Needed,
): AsyncGenerator<Finding> {
  const lacking: Finding[] = []
  for (const [topic, operations] of await cluster.operations(topics)) {
    const missing = rightsMissing(operations, ['Read', 'Write', 'Describe'])
    if (missing.length > 0) lacking.push(denied(missing, `the topic ${topic}`))
    if (rightsMissing(operations, ['DescribeConfigs']).length === 0) continue
    lacking.push({
      level: 'warning',
      what: `the user lacks the right DescribeConfigs on the topic ${topic}`,
      hint: 'Without it nobody notices that deletes were dropped which a reader has not come to.',
    })
  }
  const group = `${pipeline}.views`
  const onGroup = rightsMissing(await groupOperations(cluster, group), ['Read', 'Describe'])
  if (onGroup.length > 0) lacking.push(denied(onGroup, `the group ${group}`))
  if (makesTopics && rightsMissing(await clusterOperations(cluster), ['Create']).length > 0) {
    lacking.push({
      level: 'warning',
      what: 'the user lacks the right Create on the cluster, and topics have to be made',
      hint: 'Create on topics of these names does as well; or make them: `millrace topics create`.',
    })
  }
  yield* lacking
  if (lacking.length === 0) yield { level: 'ok', what: 'the user has the rights that are needed' }
}

function denied(missing: readonly Right[], what: string): Finding {
  const rights = missing.length === 1 ? 'right' : 'rights'
  return {
    level: 'error',
    what: `the user lacks the ${rights} ${missing.join(', ')} on ${what}`,
    hint,
  }
}

function rightsMissing(operations: number, needed: readonly Right[]): readonly Right[] {
  return needed.filter((right) => (operations & (1 << bits[right])) === 0)
}

async function groupOperations(cluster: Cluster, group: string): Promise<number> {
  try {
    const address = await cluster.coordinator('group', group)
    const what = `Ask for rights on the group ${group}`
    const { groups } = await cluster.call(address, what, describeGroupsV5.api, [group], true)
    return groups[0]?.authorizedOperations ?? 0
  } catch (error) {
    if (isFault(error, 'GROUP_AUTHORIZATION_FAILED')) return 0
    throw error
  }
}

async function clusterOperations(cluster: Cluster): Promise<number> {
  const what = 'Ask for rights on the cluster'
  const { BROKERS } = DescribeClusterEndpointTypes
  const answer = await cluster.anywhere(what, describeClusterV0.api, true, BROKERS)
  return answer.clusterAuthorizedOperations
}
