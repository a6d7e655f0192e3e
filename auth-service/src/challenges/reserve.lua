-- Makes a challenge findable by the first of its codes that is free. Slot of
-- the address.
-- KEYS: live, misses, one per code
-- ARGV: now, expires_at, physical life (ms), misses kept (ms), most, id
-- Returns the number of the code, 0 when all are taken, -1 when the index is full.
local now = tonumber(ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[5]) then
  return -1
end
for i = 3, #KEYS do
  local taken = redis.call('HGET', KEYS[i], 'expires_at')
  if not taken or tonumber(taken) <= now then
    redis.call('HSET', KEYS[i], 'id', ARGV[6], 'expires_at', ARGV[2],
      'misses_before', redis.call('GET', KEYS[2]) or 0)
    redis.call('PEXPIRE', KEYS[i], ARGV[3])
    redis.call('ZADD', KEYS[1], ARGV[2], ARGV[6])
    redis.call('PEXPIRE', KEYS[1], ARGV[4])
    redis.call('PEXPIRE', KEYS[2], ARGV[4])
    return i - 2
  end
end
return 0
