-- Starts a challenge and counts the start, unless a limit is used up. Slot of
-- the phone.
-- Returns 0 for a short code, 1 for a long one, or -1 and when to come again (ms).
local function start(challenge, row, asked, asked_here)
  local kept = redis.call('MGET', row, asked, asked_here)
  local by_phone, since, full = window(kept[2], HOUR, per_phone)
  local here, here_since, full_here = window(kept[3], HOUR, per_phone_here)
  -- Without a gap the clocks of two callers need not agree.
  local last = tonumber(gap) > 0 and string.match(kept[3] or '', '^%d+ %d+ (%d+)')
  local early = last and last + gap > now and last + gap - now
  local wait = full or full_here or early
  if wait then
    return -1, wait
  end
  redis.call('SET', asked, by_phone + 1 .. ' ' .. since, 'PX', HOUR)
  redis.call('SET', asked_here, here + 1 .. ' ' .. here_since .. ' ' .. ARGV[1], 'PX', HOUR)
  local in_a_row = window(kept[1], STARTS_KEPT, math.huge) + 1
  redis.call('SET', row, in_a_row .. ' ' .. ARGV[1], 'PX', STARTS_KEPT)
  local long = in_a_row > tonumber(short_in_a_row)
  local code = long and long_code or short_code
  redis.call('SET', challenge, '0 ' .. expires_at .. ' ' .. code .. ' ' .. named, 'PX', life)
  return long and 1 or 0, 0
end
