-- KEYS  idem
-- ARGV  token of an attempt that came to nothing
-- gives 1 if it had reserved the key

if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then
    return 0
end

return redis.call('DEL', KEYS[1])
