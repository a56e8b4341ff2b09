-- KEYS  storages, feed
-- ARGV  a storage's id, 1 if it holds files of posts
-- makes the storage known.  Where it has files, and these data have no post,
-- they may have lost them: then that is left to the admin, and it gives 0,
-- otherwise 1.

if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 1 then
    return 1
end

if ARGV[2] == '1' and redis.call('EXISTS', KEYS[2]) == 0 then
    return 0
end

redis.call('HSET', KEYS[1], ARGV[1], 0)

return 1
