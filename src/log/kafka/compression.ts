/** How batches may be compressed. Kept apart from the client, which only its users load. */
export const compressions = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const

export type Compression = (typeof compressions)[number]
