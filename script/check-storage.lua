-- What script/check-storage asks of Redis, behind src/lua/card.lua: one step of
-- a check, atomic, so that it may be taken while the service runs.  What a step
-- finds wrong it gives as a list of texts; with ARGV[2] = 1 it also repairs it,
-- and where that cannot be done the text begins with "!".
--
-- ARGV  the step, 1 to repair, PostID; more as said at each step

local step, repair, id = ARGV[1], ARGV[2] == '1', ARGV[3]
local faults = {}

local function fault(text, lasting)
    faults[#faults + 1] = (lasting and '!' or '') .. text
end

local function decoded(text)
    local ok, value = pcall(cjson.decode, text or '')
    return ok and type(value) == 'table' and value or {}
end

local function known(format)
    return format == 'png' or format == 'jpg' or format == 'bmp'
end

-- the members of a card, where that is whole; it may be the only one to know
-- them.  What clients sent has its quotes escaped, so no name is met within.

local function parsed(text)
    local head, version, count, tail = string.match(text or '',
        '^({"PostID":.-),"Version":(%d+),"Status":"ok","CommentCount":(%d+),'
        .. '("Body":".*")\n"LastComments":%[.*%]}$')

    if not head or decoded(string.gsub(text, '\n', ',"Image":"",', 1)).PostID
                   ~= id
    then
        return {}
    end

    return { head = head, version = version, count = count, tail = tail,
             author = decoded(head .. '}').Author }
end


-- KEYS  feed, seq, cards, post, comments, texts, buried
-- ARGV[4]  the format that the original's file has, or ''
-- ARGV[5]  1: another post has its sequence number
-- gives the format, or nothing where there is no post, before the faults

local SHIFT = 536870912

local function read_post()
    local f = redis.call('HMGET', KEYS[4], 'head', 'tail', 'version', 'author',
                         'format', 'comments', 'count', 'newest', 'second')

    return { head = f[1], tail = f[2], version = f[3], author = f[4],
             format = f[5], comments = f[6], count = f[7], newest = f[8],
             second = f[9] }
end

-- What is no post any more, and what is left of it

local function remains()
    if redis.call('HEXISTS', KEYS[3], id) == 1 then
        fault('a card without a post')
    end

    if redis.call('ZSCORE', KEYS[1], id) then
        fault('in the feed without a post')
    end

    if redis.call('EXISTS', KEYS[5], KEYS[6]) > 0 then
        fault('comments without a post')
    end

    if repair and #faults > 0 then
        redis.call('PUBLISH', KEYS[1], 'change')
        redis.call('HDEL', KEYS[3], id)
        redis.call('ZREM', KEYS[1], id)
        redis.call('UNLINK', KEYS[5], KEYS[6])
    end
end

-- Head, tail, author, format and version; false if the post cannot be saved

local function fields(post, old)
    local head = decoded((post.head or '') .. '}')

    if head.PostID ~= id or type(head.Timestamp) ~= 'number'
       or type(head.Author) ~= 'string'
       or type(decoded('{' .. (post.tail or '') .. '}').Body) ~= 'string'
    then
        fault('author, time or text are broken', not old.head)
        post.head, post.tail = old.head, old.tail

        if not old.head then
            return false
        end

        head = decoded(post.head .. '}')
    end

    if post.author ~= head.Author then
        fault('author is not that of the card')
        post.author = head.Author
    end

    if not known(post.format) then
        post.format = known(ARGV[4]) and ARGV[4]
        fault('the format is unknown', not post.format)
    end

    if not string.match(post.version or '', '^%d+$') then
        fault('version is no number')
        post.version = old.version or '0'
    end

    return true
end

-- Count, newest comments and the number of the next one, from the comments

local function counted(post)
    local count = string.format('%.0f', redis.call('ZCARD', KEYS[5]))
    local last = redis.call('ZREVRANGE', KEYS[5], 0, 1, 'WITHSCORES')
    local newest = last[1] and redis.call('HGET', KEYS[6], last[1]) or ''
    local second = last[3] and redis.call('HGET', KEYS[6], last[3]) or ''

    if post.count ~= count then
        fault('CommentCount is ' .. (post.count or 'missing') .. ' of ' ..
              count .. ' comments')
        post.count = count
    end

    if post.newest ~= newest or post.second ~= second then
        fault('the last comments are others')
        post.newest, post.second = newest, second
    end

    if (tonumber(post.comments or '') or -1) < tonumber(last[2] or '0') then
        fault('the number of the next comment is behind')
        post.comments = last[2] or '0'
    end
end

-- The score that it should have, and the sequence numbers

local function scored(post, shared)
    local score = tonumber(redis.call('ZSCORE', KEYS[1], id) or '')
    local count = tonumber(post.count)
    local seq = score and score % SHIFT
    local last = tonumber(redis.call('GET', KEYS[2]) or '0') or 0

    if not score then
        fault('not in the feed')

    elseif seq == 0 or seq ~= math.floor(seq) then
        fault('the score has no sequence number')
        seq = nil

    elseif shared then
        fault('the sequence number is that of another post')
        seq = nil

    elseif math.floor(score / SHIFT) ~= count then
        fault('the score is for ' .. math.floor(score / SHIFT) .. ' of '
              .. post.count .. ' comments')
    end

    if seq and seq > last then
        fault('the last sequence number is behind')
        last = seq
    end

    if not seq then
        last = last + 1
        seq = last
    end

    return string.format('%.0f', count * SHIFT + seq),
           string.format('%.0f', last)
end

local function check_post()
    local post, text = read_post(), redis.call('HGET', KEYS[3], id)
    local old = parsed(text)

    if redis.call('EXISTS', KEYS[4]) == 0 then

        if not old.head then
            remains()
            return
        end

        fault('the post is missing, its card is there')
        post = { head = old.head, tail = old.tail, version = old.version,
                 author = old.author }
    end

    if not fields(post, old) then
        return post.format
    end

    counted(post)

    local score, last = scored(post, ARGV[5] == '1')

    if text ~= card(post) then
        fault('the card is not what it should be')
        post.version = string.format('%.0f', post.version + 1)
    end

    if redis.call('EXISTS', KEYS[7]) == 1 then
        fault('the PostID is buried')
    end

    if repair and #faults > 0 then
        redis.call('PUBLISH', KEYS[1], 'change')
        redis.call('HSET', KEYS[4], 'head', post.head, 'tail', post.tail,
                   'version', post.version, 'author', post.author,
                   'comments', post.comments, 'count', post.count,
                   'newest', post.newest, 'second', post.second)

        if post.format then
            redis.call('HSET', KEYS[4], 'format', post.format)
        end

        redis.call('HSET', KEYS[3], id, card(post))
        redis.call('SET', KEYS[2], last)
        redis.call('ZADD', KEYS[1], score, id)
        redis.call('DEL', KEYS[7])
    end

    return post.format or ''
end


-- KEYS  feed, post, comments, texts
-- ARGV[4] ...  CommentIDs

local function check_comments()
    if redis.call('EXISTS', KEYS[2]) == 0 then
        return
    end

    for i = 4, #ARGV do
        local comment = ARGV[i]
        local text = redis.call('HGET', KEYS[4], comment)
        local place = redis.call('ZSCORE', KEYS[3], comment)
        local value = decoded(text)

        if text and (value.CommentID ~= comment or value.PostID ~= id
                     or type(value.Timestamp) ~= 'number'
                     or type(value.Author) ~= 'string'
                     or type(value.Body) ~= 'string')
        then
            fault('comment ' .. comment .. ' is broken, and goes: ' .. text)

            if repair then
                redis.call('HDEL', KEYS[4], comment)
                redis.call('ZREM', KEYS[3], comment)
            end

        elseif text and not place then
            fault('comment ' .. comment .. ' is not in the list')

            if repair then
                local top = redis.call('ZREVRANGE', KEYS[3], 0, 0,
                                       'WITHSCORES')[2] or '0'
                local last = redis.call('HGET', KEYS[2], 'comments')

                last = math.max(tonumber(last or '') or 0, tonumber(top)) + 1
                last = string.format('%.0f', last)
                redis.call('HSET', KEYS[2], 'comments', last)
                redis.call('ZADD', KEYS[3], last, comment)
            end

        elseif place and not text then
            fault('comment ' .. comment .. ' has no text')

            if repair then
                redis.call('ZREM', KEYS[3], comment)
            end
        end
    end
end


-- KEYS  an idempotency key's record

local function check_record()
    local record = redis.call('HMGET', KEYS[1], 'token', 'hash', 'answer')
    local answer = record[3]

    if redis.call('EXISTS', KEYS[1]) == 0 then
        return
    end

    if answer then
        answer = string.gsub(answer, '\n', ',"Image":"",', 1)
    end

    if not record[1] and not (record[2] and decoded(answer).PostID) then
        fault('the record of an idempotency key is broken')

        if repair then
            redis.call('DEL', KEYS[1])
        end

    elseif redis.call('TTL', KEYS[1]) == -1 then
        fault('the record of an idempotency key would never end')

        if repair then
            redis.call('EXPIRE', KEYS[1], record[3] and 86400 or 30)
        end
    end
end


-- KEYS  buried

local function check_buried()
    if redis.call('TTL', KEYS[1]) == -1 then
        fault('the PostID would be buried for ever')

        if repair then
            redis.call('EXPIRE', KEYS[1], 86400)
        end
    end
end


local format

if step == 'post' then
    format = check_post()
elseif step == 'comments' then
    check_comments()
elseif step == 'record' then
    check_record()
elseif step == 'buried' then
    check_buried()
end

return { format or false, unpack(faults) }
