-- Gives a live challenge another code. Slot of the phone.
-- KEYS: challenge    ARGV: code
local before, behind = string.match(redis.call('GET', KEYS[1]) or '', '^(%d+ %d+ )%S+( .*)$')
if before then
  redis.call('SET', KEYS[1], before .. ARGV[1] .. behind, 'KEEPTTL')
end
