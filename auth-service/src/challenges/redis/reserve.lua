-- Counts a start at an address and makes its challenge findable by the first of
-- these codes that is free there. Slot of the address.
-- Returns the number of the code, 0 when all are taken, -1 when there is none or
-- the index is full, or -2 and when to come again (ms).
local function reserve(asked, missed, live, codes)
  local kept = redis.call('MGET', asked, missed, unpack(codes))
  if per_address ~= '' then
    local count, since, full = window(kept[1], HOUR, per_address)
    if full then
      return -2, full
    end
    redis.call('SET', asked, count + 1 .. ' ' .. since, 'PX', HOUR)
  end
  if #codes == 0 then
    return -1, 0
  end
  redis.call('ZREMRANGEBYSCORE', live, '-inf', ARGV[1])
  if redis.call('ZCARD', live) >= MAX_INDEXED then
    return -1, 0
  end
  for i, code in ipairs(codes) do
    local taken_until = string.match(kept[i + 2] or '', '^%d+ (%d+)')
    if not taken_until or tonumber(taken_until) <= now then
      local misses = string.match(kept[2] or '', '(%d+)$') or 0
      redis.call('SET', code, misses .. ' ' .. expires_at .. ' ' .. bare, 'PX', life)
      redis.call('ZADD', live, expires_at, id)
      redis.call('PEXPIRE', live, MISSES_KEPT)
      if kept[2] then
        redis.call('PEXPIRE', missed, MISSES_KEPT)
      end
      return i, 0
    end
  end
  return 0, 0
end
