-- Idempotency keys.  The record of one holds the token of the attempt that
-- runs, as long as its lease; or the answer and a hash of the content that
-- was asked for, for a day.  Part of every script that completes one, in the
-- same step as the change.

-- Gives the answer of before, or nothing: go on.  Gives 0 if that was for
-- other content, -1 if another attempt is running.

local function answered(key, token, hash)
    local record = redis.call('HMGET', key, 'token', 'hash', 'answer')

    if record[3] then
        return record[2] == hash and { record[3] } or 0
    end

    if record[1] and record[1] ~= token then
        return -1
    end

    return nil
end

local function remember(key, hash, answer)
    redis.call('DEL', key)
    redis.call('HSET', key, 'hash', hash, 'answer', answer)
    redis.call('EXPIRE', key, 86400)
end
