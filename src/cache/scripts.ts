/*
 * What lies beside a key `user:1` of the cache (core/companion-key.ts):
 *
 *   millrace:l{user:1}   the token of the reader that may fill it; "-": nobody may, for a moment
 *   millrace:v{user:1}   the stamp of the last invalidation, which begins with its version in
 *                        twenty digits; written by the sink
 */
import { createHash } from 'node:crypto'

/**
 * KEYS: key, lease. ARGV: token, how long the lease holds.
 * Returns {1, value}, {2} with the lease taken, or {3, token of another}.
 */
export const lookupScript = script(`
local value = redis.call('GET', KEYS[1])
if value then return {1, value} end
if redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2]) then return {2} end
return {3, redis.call('GET', KEYS[2])}`)

/**
 * KEYS: key, lease, stamp. ARGV: token, value, ttlMs or 0, version in twenty digits or ''.
 * Returns 1 if the value was stored.
 */
export const fillScript = script(`
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[2])
local held = redis.call('GET', KEYS[3])
if ARGV[4] ~= '' and held and string.sub(held, 1, 20) > ARGV[4] then return 0 end
if ARGV[3] == '0' then redis.call('SET', KEYS[1], ARGV[2])
else redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) end
return 1`)

function script(lua: string): { readonly lua: string; readonly sha: string } {
  return { lua, sha: createHash('sha1').update(lua).digest('hex') }
}
