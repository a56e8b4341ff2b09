-- KEYS  post, comments, texts
-- ARGV  the highest score (as ZREVRANGEBYSCORE takes it), limit
-- gives the comments, then the score of the last one where more follow, or
-- nothing; nothing at all if there is no such post

if redis.call('EXISTS', KEYS[1]) == 0 then
    return false
end

local limit = tonumber(ARGV[2])
local ids = redis.call('ZREVRANGEBYSCORE', KEYS[2], ARGV[1], '-inf',
                       'LIMIT', 0, limit + 1)
local next = false

if #ids > limit then
    ids[#ids] = nil
    next = redis.call('ZSCORE', KEYS[2], ids[limit])
end

if #ids == 0 then
    return { next }
end

local page = redis.call('HMGET', KEYS[3], unpack(ids))

page[#page + 1] = next

return page
