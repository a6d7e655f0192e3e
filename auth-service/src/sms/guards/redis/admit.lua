-- Counts a message and notes it as under way, unless it exceeds a limit that
-- refuses: then nothing is counted.
-- KEYS: day, under way [, code, codes of the prefix, codes of the block]
-- ARGV: now, message, expires_at, day's physical life (ms), under way kept (ms),
--       whether the budget refuses, whether the breaker refuses (1 or 0),
--       number of amounts, for each: its name, how much, the most ('' for any)
--       [, length of a slot (ms), slots that are judged, the code's slot, least
--       percent, sample, prefix, block, the note's end, its and the counts' physical
--       life (ms)]
-- Returns the limits that are exceeded, each with when to come again (ms): of an
-- amount its number from 1, and after these the prefix and the block.
local now, amounts = tonumber(ARGV[1]), tonumber(ARGV[8])
local rest = 8 + 3 * amounts
local exceeded, refused = {}, false

local function exceeds(number, wait, refuses)
  exceeded[#exceeded + 1] = { number, wait }
  refused = refused or refuses == '1'
end

for i = 1, amounts do
  local at = 6 + 3 * i
  local most = ARGV[at + 2]
  if most ~= '' then
    local counted = tonumber(redis.call('HGET', KEYS[1], ARGV[at]) or '0')
    if counted + tonumber(ARGV[at + 1]) > tonumber(most) then
      exceeds(i, 0, ARGV[6])
    end
  end
end

local slot_millis, judged = tonumber(ARGV[rest + 1]), tonumber(ARGV[rest + 2])
local slot = slot_millis and math.floor(now / slot_millis)

-- Fields are s<slot> for codes sent and e<slot> for codes entered. What is
-- judged no more is deleted by the way.
local function counts(key)
  local sent, entered, last, old = {}, {}, slot, {}
  local all = redis.call('HGETALL', key)
  for i = 1, #all, 2 do
    local of = tonumber(string.sub(all[i], 2))
    if of < slot - judged then
      old[#old + 1] = all[i]
    elseif string.sub(all[i], 1, 1) == 's' then
      sent[of] = tonumber(all[i + 1])
      last = math.max(last, of)
    else
      entered[of] = tonumber(all[i + 1])
    end
  end
  if #old > 0 then
    redis.call('HDEL', key, unpack(old))
  end
  return sent, entered, last
end

-- Whether too few of the codes that have ended were entered: for how long (ms),
-- if no more are sent or entered until then.
local function tripped(key)
  local sent, entered, last = counts(key)
  local least, sample = tonumber(ARGV[rest + 4]), tonumber(ARGV[rest + 5])
  local s, e = 0, 0
  local function trips()
    return s >= sample and e * 100 < least * s
  end
  for i = slot - judged, slot - 1 do
    s, e = s + (sent[i] or 0), e + (entered[i] or 0)
  end
  if not trips() then
    return nil
  end
  local at = slot
  repeat
    s = s + (sent[at] or 0) - (sent[at - judged] or 0)
    e = e + (entered[at] or 0) - (entered[at - judged] or 0)
    at = at + 1
  until at > last + judged or not trips()
  return at * slot_millis - now
end

if slot then
  for i = 1, 2 do
    local wait = tripped(KEYS[3 + i])
    if wait then
      exceeds(amounts + i, wait, ARGV[7])
    end
  end
end
if refused then
  return exceeded
end

for i = 1, amounts do
  local at = 6 + 3 * i
  redis.call('HINCRBY', KEYS[1], ARGV[at], ARGV[at + 1])
end
redis.call('PEXPIRE', KEYS[1], ARGV[4])
redis.call('ZADD', KEYS[2], ARGV[3], ARGV[2])
redis.call('PEXPIRE', KEYS[2], ARGV[5])
if slot then
  redis.call('HSET', KEYS[3], 'prefix', ARGV[rest + 6], 'block', ARGV[rest + 7],
    'slot', ARGV[rest + 3], 'expires_at', ARGV[rest + 8])
  redis.call('PEXPIRE', KEYS[3], ARGV[rest + 9])
  for i = 4, 5 do
    redis.call('HINCRBY', KEYS[i], 's' .. ARGV[rest + 3], 1)
    redis.call('PEXPIRE', KEYS[i], ARGV[rest + 10])
  end
end
return exceeded
