/** What a topic keeps. Its names in the configuration are Kafka's. */
export interface TopicPolicy {
  /** Whether only the newest record of each key is kept (`cleanup.policy: compact`). */
  readonly compacts: boolean
  /** Records older than this go, in ms (`retention.ms`); infinite for those that stay. */
  readonly retentionMs: number
  /** The oldest records go while the topic is larger (`retention.bytes`). */
  readonly retentionBytes: number
  /** How long a delete is kept in a compacted topic, in ms (`delete.retention.ms`). */
  readonly deleteRetentionMs: number
  /** Records younger than this are not compacted, in ms (`min.compaction.lag.ms`). */
  readonly minCompactionLagMs: number
}

/** Finds the policy of a topic by its name. */
export type PolicyOf = (topic: string) => TopicPolicy

/** Everything is kept, for ever. */
export const keepAll: TopicPolicy = {
  compacts: false,
  retentionMs: Number.POSITIVE_INFINITY,
  retentionBytes: Number.POSITIVE_INFINITY,
  deleteRetentionMs: Number.POSITIVE_INFINITY,
  minCompactionLagMs: 0,
}
