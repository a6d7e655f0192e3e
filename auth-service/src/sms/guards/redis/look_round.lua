-- Takes out messages whose fate nobody told in time, and reads what there is.
-- KEYS: under way, day    ARGV: overdue since, most at once
-- Returns the messages, how many others are under way, and the day's counts.
local overdue = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, ARGV[2])
if #overdue > 0 then
  redis.call('ZREM', KEYS[1], unpack(overdue))
end
return { overdue, redis.call('ZCARD', KEYS[1]), redis.call('HGETALL', KEYS[2]) }
