-- Counts a start at an address and makes its challenge findable by the first of
-- its codes that is free. Slot of the address.
-- KEYS: live, misses, starts, one per code
-- ARGV: now, expires_at, physical life (ms), misses kept (ms), most indexed, id,
--       hour (ms), most starts ('' when the start is counted already)
-- Returns the number of the code, 0 when all are taken, -1 when the index is
-- full, or -2 and when to come again (ms).
local now = tonumber(ARGV[1])
if ARGV[8] ~= '' then
  local hour = tonumber(ARGV[7])
  local known = redis.call('HMGET', KEYS[3], 'count', 'since')
  local count, since = 0, now
  if known[1] and tonumber(known[2]) + hour > now then
    count, since = tonumber(known[1]), tonumber(known[2])
  end
  if count >= tonumber(ARGV[8]) then
    return { -2, since + hour - now }
  end
  redis.call('HSET', KEYS[3], 'count', count + 1, 'since', string.format('%.0f', since))
  redis.call('PEXPIRE', KEYS[3], ARGV[7])
end
if #KEYS == 3 then
  return { -1, 0 }
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[5]) then
  return { -1, 0 }
end
for i = 4, #KEYS do
  local taken = redis.call('HGET', KEYS[i], 'expires_at')
  if not taken or tonumber(taken) <= now then
    redis.call('HSET', KEYS[i], 'id', ARGV[6], 'expires_at', ARGV[2],
      'misses_before', redis.call('GET', KEYS[2]) or 0)
    redis.call('PEXPIRE', KEYS[i], ARGV[3])
    redis.call('ZADD', KEYS[1], ARGV[2], ARGV[6])
    redis.call('PEXPIRE', KEYS[1], ARGV[4])
    redis.call('PEXPIRE', KEYS[2], ARGV[4])
    return { i - 3, 0 }
  end
end
return { 0, 0 }
