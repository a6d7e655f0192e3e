-- Counts what became of a code. Counts that are gone are judged no more.
-- KEYS: codes of the prefix, codes of the block    ARGV: field, by how much
for i = 1, 2 do
  if redis.call('EXISTS', KEYS[i]) == 1 then
    redis.call('HINCRBY', KEYS[i], ARGV[1], ARGV[2])
  end
end
