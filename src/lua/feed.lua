-- KEYS  feed, cards
-- ARGV  the highest score (as ZREVRANGEBYSCORE takes it), limit
-- gives the cards, then the score of the last one where more follow, or
-- nothing

local limit = tonumber(ARGV[2])
local ids = redis.call('ZREVRANGEBYSCORE', KEYS[1], ARGV[1], '-inf',
                       'LIMIT', 0, limit + 1)
local next = false

if #ids > limit then
    ids[#ids] = nil
    next = redis.call('ZSCORE', KEYS[1], ids[limit])
end

if #ids == 0 then
    return { next }
end

local page = redis.call('HMGET', KEYS[2], unpack(ids))

page[#page + 1] = next

return page
