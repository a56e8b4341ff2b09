-- KEYS  feed, seq, cards, post, buried, idem (if there is an idempotency key)
-- ARGV  PostID, author (as text), format of the original,
--       the card's head before and behind the timestamp, the card's tail,
--       1 if the post may have been made before, by an attempt whose outcome
--       nobody learned; a hash of the content (if there is a key)
-- gives the card; what idempotency.lua gives where the key was used before;
-- "exists" if there is such a post (a PostID is never used twice), "buried" if
-- it was given up, "full" if there are no sequence numbers left

if KEYS[6] then
    local before = answered(KEYS[6], ARGV[1], ARGV[8])

    if before then
        return before
    end
end

if redis.call('EXISTS', KEYS[4]) == 1 then
    if ARGV[7] == '1' then
        return redis.call('HGET', KEYS[3], ARGV[1])
    end

    return redis.error_reply('ERR exists')
end

if redis.call('EXISTS', KEYS[5]) == 1 then
    return redis.error_reply('ERR buried')
end

local seq = tonumber(redis.call('GET', KEYS[2]) or 0)

if seq >= 536870911 then
    return redis.error_reply('ERR full')
end

redis.call('PUBLISH', KEYS[1], 'change')

seq = redis.call('INCR', KEYS[2])

local post = {
    head = ARGV[4] .. redis.call('TIME')[1] .. ARGV[5],
    tail = ARGV[6],
    version = '0',
    count = '0',
    newest = '',
    second = ''
}

local text = card(post)

redis.call('HSET', KEYS[4], 'author', ARGV[2], 'format', ARGV[3],
           'head', post.head, 'tail', post.tail, 'version', 0, 'count', 0,
           'comments', 0, 'newest', '', 'second', '')
redis.call('HSET', KEYS[3], ARGV[1], text)
redis.call('ZADD', KEYS[1], seq, ARGV[1])

if KEYS[6] then
    remember(KEYS[6], ARGV[8], text)
end

return text
