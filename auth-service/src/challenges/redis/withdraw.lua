-- Takes a start back. Slot of the phone.
local function withdraw(challenge, row, asked, asked_here)
  redis.call('DEL', challenge)
  for _, key in ipairs({ row, asked, asked_here }) do
    -- Whoever may start has kept the gap, so that what is behind the window goes:
    -- without this start there is none to keep.
    local count, since = string.match(redis.call('GET', key) or '', '^(%d+) (%d+)')
    if count then
      redis.call('SET', key, math.max(count - 1, 0) .. ' ' .. since, 'KEEPTTL')
    end
  end
end
