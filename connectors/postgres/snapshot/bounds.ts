import type { ChunkConnection } from './chunk-connection.ts'
import { type ChunkRange, type KeyText, orderOf, rangesBetween, wholeRange } from './chunk-range.ts'
import type { ChunkTable } from './chunk-table.ts'

/** About so much of a table is one chunk, unless that made too many. */
export const defaultChunkPages = 2048
const mostChunks = 200
/** Pages looked at for each bound: more make chunks more alike. */
const pagesPerChunk = 20

/**
 * Cuts a table into ranges of about the same size: by keys of a sample of its pages, or by pages
 * where it has no key.
 */
export async function cutTable(
  connection: ChunkConnection,
  table: ChunkTable,
  chunkPages: number,
  signal: AbortSignal,
): Promise<readonly ChunkRange[]> {
  const { pages, key, isPartitioned } = table
  const chunks = Math.min(mostChunks, Math.floor(pages / chunkPages))
  if (chunks < 2) return [wholeRange]
  if (key.length > 0) return rangesBetween(await sampleKeys(connection, table, chunks, signal))
  // The partitions of a table have pages of their own each.
  if (isPartitioned) return [wholeRange]
  const step = Math.ceil(pages / chunks)
  const bounds = Array.from({ length: chunks - 1 }, (_, i): KeyText => [`(${(i + 1) * step},0)`])
  return rangesBetween(bounds)
}

async function sampleKeys(
  connection: ChunkConnection,
  { key, from, pages }: ChunkTable,
  chunks: number,
  signal: AbortSignal,
): Promise<KeyText[]> {
  const percent = Math.min(100, (100 * chunks * pagesPerChunk) / pages)
  const columns = orderOf(key)
  const rows = await connection.rows(
    {
      sql: `SELECT ${columns} FROM (
              SELECT ${columns}, row_number() OVER (ORDER BY ${columns}) AS place,
                     count(*) OVER () AS size
                FROM ${from} TABLESAMPLE SYSTEM ($1::text::real)) AS sample
             WHERE place % greatest(1, size / $2::text::int) = 0 AND place < size
             ORDER BY place`,
      values: [String(percent), String(chunks)],
    },
    signal,
  )
  return rows as string[][]
}
