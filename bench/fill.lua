-- Posts as the module's scripts would have made them (the keys are those of
-- src/ngx_http_imagegram_store.h), many at a time.
--
-- KEYS  feed, seq, cards
-- ARGV  prefix of a post's key, the first sequence number, the last one
-- gives the last PostID

local id

for seq = tonumber(ARGV[2]), tonumber(ARGV[3]) do
    id = string.format('%08x-0000-4000-8000-%012d', seq * 7919 % 4294967296,
                       seq)

    local head = '{"PostID":"' .. id .. '","Timestamp":1678661515,"Author":"'
                 .. 'author ' .. seq .. '"'
    local tail = '"Body":"' .. string.rep('word ', 20) .. '."'

    redis.call('HSET', ARGV[1] .. id, 'author', 'author ' .. seq, 'format',
               'png', 'head', head, 'tail', tail, 'version', 0, 'count', 0,
               'comments', 0, 'newest', '', 'second', '')
    redis.call('HSET', KEYS[3], id, head .. ',"Version":0,"Status":"ok",'
               .. '"CommentCount":0,' .. tail .. '\n"LastComments":[]}')
    redis.call('ZADD', KEYS[1], seq, id)
end

redis.call('SET', KEYS[2], ARGV[3])

return id
