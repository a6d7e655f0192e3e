-- Starts a challenge and counts the start, unless a limit is used up. Slot of
-- the phone.
-- KEYS: challenge, starts in a row, starts in an hour, the same at the address
-- ARGV: now, expires_at, challenge's physical life (ms), starts kept (ms),
--       short in a row, short code, long code, phone, invited_by, address,
--       hour (ms), most per phone, most at the address, gap there (ms)
-- Returns 0 for a short code, 1 for a long one, or -1 and when to come again (ms).
local now, hour = tonumber(ARGV[1]), tonumber(ARGV[11])

-- The count of a window that begins with its first event.
local function window(key)
  local known = redis.call('HMGET', key, 'count', 'since')
  if known[1] and tonumber(known[2]) + hour > now then
    return tonumber(known[1]), tonumber(known[2])
  end
  return 0, now
end

local function count(key, counted, since)
  redis.call('HSET', key, 'count', counted + 1, 'since', string.format('%.0f', since))
  redis.call('PEXPIRE', key, ARGV[11])
end

local by_phone, phone_since = window(KEYS[3])
if by_phone >= tonumber(ARGV[12]) then
  return { -1, phone_since + hour - now }
end
local by_pair, pair_since = window(KEYS[4])
if by_pair >= tonumber(ARGV[13]) then
  return { -1, pair_since + hour - now }
end
-- Without a gap the clocks of two callers need not agree.
local gap = tonumber(ARGV[14])
local last_here = gap > 0 and tonumber(redis.call('HGET', KEYS[4], 'last') or '0')
if last_here and last_here + gap > now then
  return { -1, last_here + gap - now }
end
count(KEYS[3], by_phone, phone_since)
count(KEYS[4], by_pair, pair_since)
redis.call('HSET', KEYS[4], 'last', ARGV[1])

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
return { long and 1 or 0, 0 }
