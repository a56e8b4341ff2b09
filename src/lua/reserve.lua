-- KEYS  idem
-- ARGV  token of an attempt, how long its lease is (ms)
-- gives 1 if the key is reserved for that attempt now, 0 if another one has
-- it; 2 if the answer is known already, whatever the attempt will bring

local record = redis.call('HMGET', KEYS[1], 'token', 'answer')

if record[2] then
    return 2
end

if record[1] and record[1] ~= ARGV[1] then
    return 0
end

redis.call('HSET', KEYS[1], 'token', ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])

return 1
