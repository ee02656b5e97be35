import { Redis } from 'ioredis'
import { finish } from './finish.ts'

/** Notes when Redis tells of each key being set. */
const { url, firstId, count } = JSON.parse(process.argv[2]!)
const now = () => Number(process.hrtime.bigint()) / 1e6
const seen: number[] = new Array(count).fill(0)
let left = count
const redis = new Redis(url)
await redis.psubscribe('__keyevent@*__:set')
console.log('ready')
await new Promise<void>((resolve) => {
  redis.on('pmessage', (_pattern: string, _channel: string, key: string) => {
    const place = /^order:(\d+)$/.exec(key)
    const i = Number(place?.[1] ?? -1) - firstId
    if (i < 0 || i >= count || seen[i] !== 0) return
    seen[i] = now()
    if (--left === 0) resolve()
  })
})
finish({ seen })
