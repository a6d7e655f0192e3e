-- Finds a challenge by its code, or counts a miss. Slot of the address.
-- A challenge remembers how many misses there were before it: one counter
-- counts for all that live there.
-- KEYS: misses, failures, code (left out: the miss is only counted)
-- ARGV: now, most misses, misses kept (ms), most failures, their window (ms)
-- Returns the challenge's id, '' for none, or when to come again (ms).
local now, length = tonumber(ARGV[1]), tonumber(ARGV[5])
local failed = redis.call('HMGET', KEYS[2], 'count', 'since')
local count, since = 0, now
if failed[1] and tonumber(failed[2]) + length > now then
  count, since = tonumber(failed[1]), tonumber(failed[2])
end
if KEYS[3] then
  if count >= tonumber(ARGV[4]) then
    return since + length - now
  end
  local known = redis.call('HMGET', KEYS[3], 'id', 'expires_at', 'misses_before')
  if known[1] and tonumber(known[2]) > now then
    local misses = tonumber(redis.call('GET', KEYS[1]) or '0')
    if misses - tonumber(known[3]) < tonumber(ARGV[2]) then
      return known[1]
    end
  end
end
redis.call('INCR', KEYS[1])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
redis.call('HSET', KEYS[2], 'count', count + 1, 'since', string.format('%.0f', since))
redis.call('PEXPIRE', KEYS[2], ARGV[5])
return ''
