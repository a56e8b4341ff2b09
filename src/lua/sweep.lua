-- KEYS  storages
-- ARGV  a storage's id, when it was swept last, and now (Unix seconds)
-- gives 1; 0 if these are not the posts of that storage, -1 if these data are
-- from before it was swept last

local seen = tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or '')

if not seen then
    return 0
end

if seen < tonumber(ARGV[2]) then
    return -1
end

if seen < tonumber(ARGV[3]) then
    redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
end

return 1
