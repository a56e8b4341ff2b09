-- A page of the feed, as the peers ask Redis for it: posts are hashes, a
-- post's comments a list of JSON, the newest first; one script for a page.
--
-- KEYS  feed
-- ARGV  the highest score (as ZREVRANGEBYSCORE takes it), limit, prefixes of a
--       post's and of its comments' key
-- gives for each post its fields and its last two comments; then the score of
-- the last one where more follow

local limit = tonumber(ARGV[2])
local ids = redis.call('ZREVRANGEBYSCORE', KEYS[1], ARGV[1], '-inf',
                       'LIMIT', 0, limit + 1)
local page = {}

for i = 1, math.min(#ids, limit) do
    page[i] = {
        redis.call('HGETALL', ARGV[3] .. ids[i]),
        redis.call('LRANGE', ARGV[4] .. ids[i], 0, 1)
    }
end

if #ids > limit then
    page[#page + 1] = redis.call('ZSCORE', KEYS[1], ids[limit])
end

return page
