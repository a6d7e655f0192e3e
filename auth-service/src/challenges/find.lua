-- Finds a challenge by its code, or counts a miss. Slot of the address.
-- A challenge remembers how many misses there were before it: one counter
-- counts for all that live there.
-- KEYS: misses, code    ARGV: now, most misses, misses kept (ms)
local known = redis.call('HMGET', KEYS[2], 'id', 'expires_at', 'misses_before')
if known[1] and tonumber(known[2]) > tonumber(ARGV[1]) then
  local misses = tonumber(redis.call('GET', KEYS[1]) or '0')
  if misses - tonumber(known[3]) < tonumber(ARGV[2]) then
    return known[1]
  end
end
redis.call('INCR', KEYS[1])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return false
