-- Gives a live challenge another code. Slot of the phone.
-- KEYS: challenge    ARGV: code
if redis.call('EXISTS', KEYS[1]) == 1 then
  redis.call('HSET', KEYS[1], 'code', ARGV[1])
end
return redis.status_reply('OK')
