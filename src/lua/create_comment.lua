-- KEYS  feed, cards, post, comments, texts, idem (if there is an idempotency
--       key)
-- ARGV  PostID, CommentID, the comment's JSON before and behind the timestamp,
--       a hash of the content (if there is a key)
-- gives the comment's JSON; what idempotency.lua gives where the key was used
-- before; nothing if there is no such post, "full" if it has as many comments
-- as a score can count

if KEYS[6] then
    local before = answered(KEYS[6], ARGV[2], ARGV[5])

    if before then
        return before
    end
end

local f = redis.call('HMGET', KEYS[3], 'head', 'tail', 'version', 'count',
                     'newest')

if not f[1] then
    return false
end

if tonumber(f[4]) >= 16777215 then
    return redis.error_reply('ERR full')
end

local text = ARGV[3] .. redis.call('TIME')[1] .. ARGV[4]

local post = {
    head = f[1],
    tail = f[2],
    version = string.format('%.0f', f[3] + 1),
    count = string.format('%.0f', f[4] + 1),
    newest = text,
    second = f[5]
}

redis.call('PUBLISH', KEYS[1], 'change')
redis.call('ZADD', KEYS[4], redis.call('HINCRBY', KEYS[3], 'comments', 1),
           ARGV[2])
redis.call('HSET', KEYS[5], ARGV[2], text)
redis.call('HSET', KEYS[3], 'version', post.version, 'count', post.count,
           'newest', post.newest, 'second', post.second)
redis.call('HSET', KEYS[2], ARGV[1], card(post))
redis.call('ZINCRBY', KEYS[1], 536870912, ARGV[1])

if KEYS[6] then
    remember(KEYS[6], ARGV[5], text)
end

return text
