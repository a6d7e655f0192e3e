-- Compares a code with a live challenge's and counts the try. Slot of the phone.
-- The codes are keyed hashes: how long their comparison takes tells nothing.
-- KEYS: challenge    ARGV: now, code, most tries ('' when a mismatch is free)
local known = redis.call('HMGET', KEYS[1], 'code', 'expires_at', 'tries', 'phone', 'invited_by', 'address')
if not known[1] or tonumber(known[2]) <= tonumber(ARGV[1]) then
  return false
end
local counted = ARGV[3] ~= ''
if counted and tonumber(known[3]) >= tonumber(ARGV[3]) then
  return false
end
if known[1] == ARGV[2] then
  return { known[4], known[5], known[6] }
end
if counted then
  redis.call('HINCRBY', KEYS[1], 'tries', 1)
end
return false
