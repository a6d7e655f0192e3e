-- Takes a start back. Slot of the phone.
-- KEYS: challenge, starts in a row, starts in an hour, the same at the address
redis.call('DEL', KEYS[1])
for i = 2, 4 do
  if tonumber(redis.call('HGET', KEYS[i], 'count') or '0') > 0 then
    redis.call('HINCRBY', KEYS[i], 'count', -1)
  end
end
-- Whoever may start has kept the gap: without this start there is none to keep.
redis.call('HDEL', KEYS[4], 'last')
return redis.status_reply('OK')
