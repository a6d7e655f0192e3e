-- What both steps of a start are told. `named` and `bare` are what whoever answers
-- by name or by the code alone is to be given; `per_address` is '' when the start
-- is counted already, `life` is the challenge's physical one (ms).
local _, expires_at, life, id, per_address, bare, named, short_code, long_code,
  short_in_a_row, per_phone, per_phone_here, gap = unpack(ARGV)
