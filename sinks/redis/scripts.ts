/*
 * Everything that the sink keeps in Redis, and the scripts that alone write it. For a document
 * under the key `order:42`:
 *
 *   order:42                      the document: JSON text, or a hash of its columns
 * millrace:v{order:42} its stamp; `millrace:v:order:{42}` if the key has a hash tag itself
 *   millrace:{<place>}:checkpoint how far the sink came (core/checkpoint.ts), and
 *   millrace:{<place>}:marker     {"v":1,"id":<random>,"template":…,"prefix":…}
 *
 * <place> is pipeline/sink/topic/partition. Pairs that one script touches share a cluster slot by
 * their hash tag (the exception: a key with a "}" and no tag, which a cluster cannot pair).
 *
 * A stamp is 44 bytes, which is what Redis stores inside the object itself:
 *
 *   version:20 ordinal:10 u|d key:7 owner:6
 *
 * Version and ordinal are zero-padded digits, because a number in Lua is a double and loses digits
 * beyond 2^53, while text of one width compares exactly. `u` is a document, `d` a deleted one.
 * `key` is a digest of the record's key, in base 36, which tells apart two keys of one id; `owner`
 * is one of <place>: only what carries ours is ever cleared.
 *
 * The stamp stands apart from the document so that applications read plain JSON by GET, and so that
 * it outlives the document: a delete keeps it for `deleteTtlMs`, a document that expires after
 * `ttlMs` for that much longer. An evicted document keeps its stamp: older states stay out, and the
 * next change, or the same one read again, brings it back. An evicted stamp leaves a document that
 * any state may replace; as records come in order, it is right again once the newest has come.
 */
import { createHash } from 'node:crypto'

export interface Script {
  readonly lua: string
  /** What EVALSHA calls it by. */
  readonly sha: string
}

/** Length of a stamp, and where its owner begins, as Lua counts. */
export const stampLength = 44
const ownerAt = 39

/** How documents are stored: the name of the Redis type. */
export type Kind = 'string' | 'hash'

/** What a write script says of each key, one letter a key. */
export const verdicts = { applied: '1', stale: '0', otherType: 'T', otherStamp: 'S' } as const

// KEYS: the documents' keys, then their stamps' keys in the same order.
// ARGV: ttlMs or 0, the stamp's time to live or 0, deleteTtlMs; then for each key its stamp and, if
// it is not deleted, its content.
const compare = `
local function supersedes(next, held)
  local a, b = string.sub(next, 1, 20), string.sub(held, 1, 20)
  if a ~= b then return a > b end
  local dead = string.sub(held, 31, 31) == 'd'
  if string.sub(next, 32, 38) ~= string.sub(held, 32, 38)
    and (string.sub(next, 31, 31) == 'd') ~= dead then return dead end
  return string.sub(next, 21, 30) >= string.sub(held, 21, 30)
end
local function judge(next, key, mark)
  local held = redis.pcall('GET', mark)
  if not held then
    local found = redis.call('TYPE', key).ok
    return (found == 'none' or found == kind) and '1' or 'T'
  end
  if type(held) == 'table' then
    if not string.find(held.err, 'WRONGTYPE', 1, true) then error(held) end
    return 'S'
  end
  if #held ~= ${stampLength} then return 'S' end
  return supersedes(next, held) and '1' or '0'
end
local function set(key, value, ttl)
  if ttl == '0' then redis.call('SET', key, value) else redis.call('SET', key, value, 'PX', ttl) end
end`

const loop = `
local count = #KEYS / 2
local ttl, keep, grave = ARGV[1], ARGV[2], ARGV[3]
local answers, at = {}, 4
for i = 1, count do
  local key, mark, stamp = KEYS[i], KEYS[count + i], ARGV[at]
  local answer = judge(stamp, key, mark)
  answers[i] = answer
  if string.sub(stamp, 31, 31) == 'd' then
    if answer == '1' then
      redis.call('UNLINK', key)
      set(mark, stamp, grave)
    end
    at = at + 1
  else
    at = content(key, at + 1, answer == '1', ttl)
    if answer == '1' then set(mark, stamp, keep) end
  end
end
return table.concat(answers)`

// Content: the document.
const stringContent = `
local function content(key, at, apply, ttl)
  if apply then set(key, ARGV[at], ttl) end
  return at + 1
end`

// Content: how many arguments follow, then fields and values; by the thousand, as Lua's stack is
// bounded.
const hashContent = `
local function content(key, at, apply, ttl)
  local last = at + tonumber(ARGV[at])
  if apply then
    redis.call('DEL', key)
    for from = at + 1, last, 1000 do
      redis.call('HSET', key, unpack(ARGV, from, math.min(from + 999, last)))
    end
    if ttl ~= '0' then redis.call('PEXPIRE', key, ttl) end
  end
  return last + 1
end`

/** Writes a group of documents, each unless a newer state of it is there. Returns the verdicts. */
export const writeScripts: Readonly<Record<Kind, Script>> = {
  string: script(`local kind = 'string'${compare}${stringContent}${loop}`),
  hash: script(`local kind = 'hash'${compare}${hashContent}${loop}`),
}

/**
 * Removes documents and stamps that carry our owner.
 * KEYS as above; ARGV: owner. Returns how many there were.
 */
export const forgetScript = script(`
local count, removed = #KEYS / 2, 0
for i = 1, count do
  local held = redis.pcall('GET', KEYS[count + i])
  if type(held) == 'string' and #held == ${stampLength}
    and string.sub(held, ${ownerAt}) == ARGV[1] then
    redis.call('UNLINK', KEYS[i], KEYS[count + i])
    removed = removed + 1
  end
end
return removed`)

/**
 * Replaces checkpoint and marker if both are what the caller has read.
 * KEYS: checkpoint, marker. ARGV: what they are ('' if absent), what they shall be. Returns 1 or 0.
 */
export const claimScript = script(`
for i = 1, 2 do
  if (redis.call('GET', KEYS[i]) or '') ~= ARGV[i] then return 0 end
end
redis.call('SET', KEYS[1], ARGV[3])
redis.call('SET', KEYS[2], ARGV[4])
return 1`)

/**
 * Replaces the checkpoint if it and the marker are what this owner left.
 * KEYS: checkpoint, marker. ARGV: checkpoint as it is, marker, next checkpoint.
 * Returns {1}, or {0, marker or '', checkpoint or ''} as they are instead.
 */
export const commitScript = script(`
local stored, marker = redis.call('GET', KEYS[1]), redis.call('GET', KEYS[2])
if stored ~= ARGV[1] or marker ~= ARGV[2] then return {0, marker or '', stored or ''} end
redis.call('SET', KEYS[1], ARGV[3])
return {1}`)

/**
 * Tries every command of the scripts above on keys that do not exist, so that nothing changes.
 * KEYS: a document's key and its stamp's.
 */
export const probeScript = script(`
for i = 1, 2 do
  redis.call('GET', KEYS[i])
  redis.call('TYPE', KEYS[i])
  redis.call('SET', KEYS[i], '', 'XX')
  redis.call('PEXPIRE', KEYS[i], 1)
  redis.call('UNLINK', KEYS[i])
end
return 1`)

function script(lua: string): Script {
  return { lua, sha: createHash('sha1').update(lua).digest('hex') }
}
