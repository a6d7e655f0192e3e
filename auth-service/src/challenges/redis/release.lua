-- Makes a challenge no longer findable. Slot of the address.
-- ARGV: id
local function release(live, code)
  if string.match(redis.call('GET', code) or '', '^%d+ %d+ (%S+)') == ARGV[1] then
    redis.call('DEL', code)
  end
  redis.call('ZREM', live, ARGV[1])
end
