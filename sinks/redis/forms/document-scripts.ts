import { type Script, script, stampFunctions } from '../scripts.ts'

/** How documents are stored. */
export type Kind = 'string' | 'hash' | 'json'

// KEYS: for each document its key and its stamp's.
// ARGV: ttlMs or 0, the stamp's time to live or 0, deleteTtlMs, channel or ''; then for each
// document its stamp and, if it is not deleted, its content.
const loop = `
local function judge(next, key, mark)
  local held = read(mark)
  if held == nil then return 'S' end
  if held then return supersedes(next, held) and '1' or '0' end
  local found = redis.call('TYPE', key).ok
  return (found == 'none' or found == kind) and '1' or 'T'
end
local ttl, keep, grave, channel = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local answers, at = {}, 5
for i = 1, #KEYS, 2 do
  local key, mark, stamp = KEYS[i], KEYS[i + 1], ARGV[at]
  local answer = judge(stamp, key, mark)
  if string.sub(stamp, 31, 31) == 'd' then
    if answer == '1' then
      redis.call('UNLINK', key)
      set(mark, stamp, grave)
    end
    at = at + 1
  else
    local taken
    at, taken = content(key, at + 1, answer == '1', ttl)
    if answer == '1' and not taken then answer = 'J' end
    if answer == '1' then set(mark, stamp, keep) end
  end
  if answer == '1' and channel ~= '' then redis.call('PUBLISH', channel, key) end
  answers[#answers + 1] = answer
end
return table.concat(answers)`

// Content: the document.
const stringContent = `
local function content(key, at, apply, ttl)
  if apply then set(key, ARGV[at], ttl) end
  return at + 1, true
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
  return last + 1, true
end`

// Content: the document, which the module may still refuse.
const jsonContent = `
local function content(key, at, apply, ttl)
  if not apply then return at + 1, true end
  redis.call('UNLINK', key)
  local answer = redis.pcall('JSON.SET', key, '$', ARGV[at])
  if answer.err then
    if string.find(answer.err, 'nknown.*command') then
      error({err = 'ERR unknown command JSON.SET: the server lacks the JSON module'})
    end
    return at + 1, false
  end
  if ttl ~= '0' then redis.call('PEXPIRE', key, ttl) end
  return at + 1, true
end`

/** Writes a group of documents, each unless a newer state of it is there. Returns the verdicts. */
export const documentScripts: Readonly<Record<Kind, Script>> = {
  string: script(`local kind = 'string'${stampFunctions}${stringContent}${loop}`),
  hash: script(`local kind = 'hash'${stampFunctions}${hashContent}${loop}`),
  json: script(`local kind = 'ReJSON-RL'${stampFunctions}${jsonContent}${loop}`),
}
