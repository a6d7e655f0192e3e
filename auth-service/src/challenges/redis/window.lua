-- A window is a count and when it began, kept as 'count since', perhaps with more
-- behind; a count that was taken back to nothing is none. Returns both as they are
-- now, and for how long it is full (ms) if it is.
local now = tonumber(ARGV[1])
local function window(kept, length, most)
  local count, since = string.match(kept or '', '^([1-9]%d*) (%d+)')
  if not count or since + length <= now then
    return 0, ARGV[1]
  end
  return tonumber(count), since, tonumber(count) >= tonumber(most) and since + length - now
end
