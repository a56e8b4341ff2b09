-- KEYS  feed, cards, post, comments, texts
-- ARGV  PostID, CommentID, who is asking ('' where the API is open)
-- gives 1; 0 if there is no such comment, -1 if it is somebody else's and the
-- post is, too

local text = redis.call('HGET', KEYS[5], ARGV[2])

if not text then
    return 0
end

local f = redis.call('HMGET', KEYS[3], 'head', 'tail', 'version', 'count',
                     'author')

if ARGV[3] ~= '' and ARGV[3] ~= f[5]
   and ARGV[3] ~= cjson.decode(text).Author
then
    return -1
end

redis.call('PUBLISH', KEYS[1], 'change')
redis.call('ZREM', KEYS[4], ARGV[2])
redis.call('HDEL', KEYS[5], ARGV[2])

local last = redis.call('ZREVRANGE', KEYS[4], 0, 1)

for i, id in ipairs(last) do
    last[i] = redis.call('HGET', KEYS[5], id)
end

local post = {
    head = f[1],
    tail = f[2],
    version = string.format('%.0f', f[3] + 1),
    count = string.format('%.0f', f[4] - 1),
    newest = last[1] or '',
    second = last[2] or ''
}

redis.call('HSET', KEYS[3], 'version', post.version, 'count', post.count,
           'newest', post.newest, 'second', post.second)
redis.call('HSET', KEYS[2], ARGV[1], card(post))
redis.call('ZINCRBY', KEYS[1], -536870912, ARGV[1])

return 1
