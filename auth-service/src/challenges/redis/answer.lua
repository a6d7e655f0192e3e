-- Compares a code with a live challenge's and counts the try. Slot of the phone.
-- The codes are keyed hashes: how long their comparison takes tells nothing.
-- KEYS: challenge    ARGV: now, code
-- Returns what is known of the challenge, if the code is its.
local tries, rest, expires_at, code, known =
  string.match(redis.call('GET', KEYS[1]) or '', '^(%d+)( (%d+) (%S+) (.*))$')
if not tries or tonumber(expires_at) <= tonumber(ARGV[1]) or tonumber(tries) >= MAX_TRIES then
  return false
end
if code == ARGV[2] then
  return known
end
redis.call('SET', KEYS[1], tries + 1 .. rest, 'KEEPTTL')
return false
