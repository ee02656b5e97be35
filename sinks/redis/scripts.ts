/*
 * The scripts that alone write what the sink keeps in Redis. For a document under `order:42`:
 *
 *   order:42                      the document: JSON text, a hash of its columns, or JSON
 *   millrace:v{order:42}          its stamp (stamp.ts); `millrace:v:order:{42}` if the key has a
 *                                 hash tag itself (core/companion-key.ts)
 *   millrace:{<place>}:checkpoint how far the sink came (core/checkpoint.ts), and
 *   millrace:{<place>}:marker     what Redis this is (marker.ts)
 *
 * <place> is pipeline/sink/topic/partition. What one script touches shares a cluster slot.
 *
 * The stamp stands apart from the document so that applications read plain JSON by GET, and so that
 * it outlives the document: a delete keeps it for `deleteTtlMs`, a document that expires after
 * `ttlMs` for that much longer. An evicted document keeps its stamp: older states stay out, and the
 * next change, or the same one read again, brings it back. An evicted stamp leaves a document that
 * any state may replace; as records come in order, it is right again once the newest has come.
 */
import { createHash } from 'node:crypto'
import { stampLength, stampParts } from './stamp.ts'

export interface Script {
  readonly lua: string
  /** What EVALSHA calls it by. */
  readonly sha: string
}

export function script(lua: string): Script {
  return { lua, sha: createHash('sha1').update(lua).digest('hex') }
}

/** What a script says of each item, one letter an item. */
export const verdicts = {
  applied: '1',
  stale: '0',
  otherType: 'T',
  otherStamp: 'S',
  rejected: 'J',
} as const

/** Lua: a part of a stamp. */
export const part = (stamp: string, name: keyof typeof stampParts) =>
  `string.sub(${stamp}, ${stampParts[name]})`

/**
 * Lua: `supersedes(next, held)`, by the order of core/fold.ts; `read(mark)`, the stamp that is
 * held, false if none, or nil if what is there is no stamp; `set(key, value, ttl)`.
 */
export const stampFunctions = `
local function supersedes(next, held)
  local a, b = ${part('next', 'version')}, ${part('held', 'version')}
  if a ~= b then return a > b end
  local dead = ${part('held', 'state')} == 'd'
  if ${part('next', 'key')} ~= ${part('held', 'key')}
    and (${part('next', 'state')} == 'd') ~= dead then return dead end
  return ${part('next', 'ordinal')} >= ${part('held', 'ordinal')}
end
local function read(mark)
  local held = redis.pcall('GET', mark)
  if type(held) == 'table' then
    if not string.find(held.err, 'WRONGTYPE', 1, true) then error(held) end
    return nil
  end
  if held and #held ~= ${stampLength} then return nil end
  return held
end
local function set(key, value, ttl)
  if ttl == '0' then redis.call('SET', key, value) else redis.call('SET', key, value, 'PX', ttl) end
end`

/**
 * Replaces checkpoint and marker if both are what the caller knows.
 * KEYS: checkpoint, marker. ARGV: what they are ('' if absent), what they shall be.
 * Returns {1}, or {0, checkpoint or '', marker or ''} as they are instead.
 */
export const replaceScript = script(`
local checkpoint, marker = redis.call('GET', KEYS[1]) or '', redis.call('GET', KEYS[2]) or ''
if checkpoint ~= ARGV[1] or marker ~= ARGV[2] then return {0, checkpoint, marker} end
redis.call('SET', KEYS[1], ARGV[3])
if marker ~= ARGV[4] then redis.call('SET', KEYS[2], ARGV[4]) end
return {1}`)

/**
 * Removes what carries our owner, also as the first builds wrote it (marker.ts): documents and what
 * else lies at a key of its own.
 * KEYS: keys, each followed by its stamp's. ARGV: owner; the generation to spare, or ''; how long
 * the delete of what is swept is remembered. Returns how many there were.
 */
export const forgetScript = script(`
local removed = 0
for i = 1, #KEYS, 2 do
  local held = redis.pcall('GET', KEYS[i + 1])
  if type(held) == 'string' and #held == ${stampLength} then
    local ours = ${part('held', 'owner')} == ARGV[1]
    local earlier = not ours and string.sub(held, 39, 43) == ARGV[1]
    if (ours or earlier) and ARGV[2] == '' then
      redis.call('UNLINK', KEYS[i], KEYS[i + 1])
      removed = removed + 1
    elseif (earlier or (ours and ${part('held', 'generation')} ~= ARGV[2]))
      and ${part('held', 'state')} == 'u' then
      redis.call('UNLINK', KEYS[i])
      local grave = string.sub(held, 1, 30) .. 'd' .. string.sub(held, 32)
      redis.call('SET', KEYS[i + 1], grave, 'PX', ARGV[3])
      removed = removed + 1
    end
  end
end
return removed`)

/**
 * The same for members of sets. ARGV as above, then the members.
 */
export const forgetMembersScript = script(`
local removed = 0
for i = 1, #KEYS, 2 do
  local held = redis.pcall('GET', KEYS[i + 1])
  local member = ARGV[3 + (i + 1) / 2]
  if type(held) == 'string' and #held == ${stampLength} and ${part('held', 'owner')} == ARGV[1]
    and (ARGV[2] == '' or (${part('held', 'generation')} ~= ARGV[2]
      and ${part('held', 'state')} == 'u')) then
    local kind = redis.call('TYPE', KEYS[i]).ok
    if kind == 'set' then redis.call('SREM', KEYS[i], member) end
    if kind == 'zset' then redis.call('ZREM', KEYS[i], member) end
    if ARGV[2] == '' then
      redis.call('UNLINK', KEYS[i + 1])
    else
      local grave = string.sub(held, 1, 30) .. 'd' .. string.sub(held, 32)
      redis.call('SET', KEYS[i + 1], grave, 'PX', ARGV[3])
    end
    removed = removed + 1
  end
end
return removed`)

/**
 * Tries the commands that all forms need on keys that do not exist, so that nothing changes, and
 * asks for the rights to those of one form, which servers tell from Redis 7 on.
 * KEYS: a key and its stamp's. ARGV: commands, each with the key or channel that it is for.
 */
export const probeScript = script(`
for i = 1, 2 do
  redis.call('GET', KEYS[i])
  redis.call('TYPE', KEYS[i])
  redis.call('SET', KEYS[i], '', 'XX')
  redis.call('PEXPIRE', KEYS[i], 1)
  redis.call('UNLINK', KEYS[i])
end
for i = 1, #ARGV, 2 do
  if redis.acl_check_cmd and not redis.acl_check_cmd(ARGV[i], ARGV[i + 1]) then
    return redis.error_reply('NOPERM this user may not run ' .. ARGV[i] .. ' for ' .. ARGV[i + 1])
  end
end
return 1`)
