-- Makes a challenge no longer findable. Slot of the address.
-- KEYS: live, code    ARGV: id
if redis.call('HGET', KEYS[2], 'id') == ARGV[1] then
  redis.call('DEL', KEYS[2])
end
redis.call('ZREM', KEYS[1], ARGV[1])
return redis.status_reply('OK')
