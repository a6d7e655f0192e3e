-- Finds a challenge by its code, or counts a miss. Slot of the address.
-- A challenge remembers how many misses there were before it: one count, behind
-- the window of failures, counts for all that live there.
-- KEYS: missed, code    ARGV: now, most failures
-- Returns what is known of the challenge, if there is one, or when to come again
-- (ms).
local kept = redis.call('MGET', KEYS[1], KEYS[2])
local count, since, full = window(kept[1], FAILURE_WINDOW, ARGV[2])
if full then
  return full
end
local misses = string.match(kept[1] or '', '(%d+)$') or 0
local misses_before, expires_at, known = string.match(kept[2] or '', '^(%d+) (%d+) (.*)$')
if known and tonumber(expires_at) > now and misses - misses_before < MAX_TRIES then
  return known
end
redis.call('SET', KEYS[1], count + 1 .. ' ' .. since .. ' ' .. misses + 1, 'PX', MISSES_KEPT)
return false
