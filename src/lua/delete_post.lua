-- KEYS  feed, cards, post, comments, texts, buried
-- ARGV  PostID, who is asking ('' where the API is open)
-- gives the format of the original; 0 if there is no such post, -1 if it is
-- somebody else's

local f = redis.call('HMGET', KEYS[3], 'author', 'format')

if not f[1] then
    return 0
end

if ARGV[2] ~= '' and ARGV[2] ~= f[1] then
    return -1
end

redis.call('PUBLISH', KEYS[1], 'change')
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('HDEL', KEYS[2], ARGV[1])
redis.call('UNLINK', KEYS[3], KEYS[4], KEYS[5])
redis.call('SET', KEYS[6], 1, 'EX', 86400)

return f[2]
