-- Takes out the note of a code: whoever gets it counts it.
-- KEYS: code    ARGV: now
-- Returns its prefix, block and slot, or nothing.
local known = redis.call('HMGET', KEYS[1], 'prefix', 'block', 'slot', 'expires_at')
if not known[1] then
  return false
end
redis.call('DEL', KEYS[1])
if tonumber(known[4]) <= tonumber(ARGV[1]) then
  return false
end
return { known[1], known[2], known[3] }
