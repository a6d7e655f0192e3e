-- Starts a challenge and counts the start. Slot of the phone.
-- KEYS: challenge, starts
-- ARGV: now, expires_at, challenge's physical life (ms), starts kept (ms),
--       short in a row, short code, long code, phone, invited_by, address
local now = tonumber(ARGV[1])
local last = tonumber(redis.call('HGET', KEYS[2], 'last') or '0')
if last + tonumber(ARGV[4]) <= now then
  redis.call('DEL', KEYS[2])
end
local starts = redis.call('HINCRBY', KEYS[2], 'count', 1)
redis.call('HSET', KEYS[2], 'last', ARGV[1])
redis.call('PEXPIRE', KEYS[2], ARGV[4])
local long = starts > tonumber(ARGV[5])
redis.call('HSET', KEYS[1], 'code', long and ARGV[7] or ARGV[6], 'phone', ARGV[8],
  'invited_by', ARGV[9], 'address', ARGV[10], 'expires_at', ARGV[2], 'tries', 0)
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return long and 1 or 0
