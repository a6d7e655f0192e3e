-- Forgets a challenge and its phone's starts in a row. Slot of the phone.
local function forget(challenge, row)
  redis.call('DEL', challenge, row)
end
