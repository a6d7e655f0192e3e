-- Both steps of a start at once, where one server has both slots.
-- KEYS: as `start` has them, as `reserve`, a short code and a long one
-- Returns what `start` does, and then what `reserve` does.
local kind, wait = start(KEYS[1], KEYS[2], KEYS[3], KEYS[4])
if kind == -1 then
  return { kind, wait }
end
local number, wait = reserve(KEYS[5], KEYS[6], KEYS[7], { KEYS[8 + kind] })
if number == -2 then
  withdraw(KEYS[1], KEYS[2], KEYS[3], KEYS[4])
  return { -1, wait }
end
return { kind, number }
