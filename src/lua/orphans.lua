-- KEYS  storages, then of each PostID: post, buried
-- ARGV  a storage's id, when this sweep of it began, 1 to bury
-- gives which of the PostIDs have no post, the first being 0; to bury them
-- means that a script that arrives late cannot make a post of them.  Nothing
-- at all if these data do not know of the sweep: they are not what they were
-- when it began.

local seen = tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or '')

if not seen or seen < tonumber(ARGV[2]) then
    return false
end

local orphans = {}

for i = 2, #KEYS, 2 do
    if redis.call('EXISTS', KEYS[i]) == 0 then
        orphans[#orphans + 1] = (i - 2) / 2

        if ARGV[3] == '1' then
            redis.call('SET', KEYS[i + 1], 1, 'EX', 86400)
        end
    end
end

return orphans
