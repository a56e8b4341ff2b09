-- GET posts as one would write it with lua-nginx-module and lua-resty-redis:
-- kept connections, one script a page, cjson.
--
-- feed() asks the peers' own script; cards() asks the module's, and puts
-- together what that has ready.  Both answer with the module's JSON.

local cjson = require 'cjson'
local redis = require 'nginx.redis'      -- Debian's name of lua-resty-redis

redis.add_commands('evalsha')

local TIMEOUT = 1000                     -- ms
local KEEP, CONNECTIONS = 10000, 64

local peer = {}


local function ask(script, keys, ...)
    local client = redis:new()

    client:set_timeout(TIMEOUT)
    assert(client:connect(ngx.var.redis))

    local reply = assert(client:evalsha(script, keys, ...))

    client:set_keepalive(KEEP, CONNECTIONS)

    return reply
end


local function answer(body)
    local header = ngx.header

    header['Content-Type'] = 'application/json'
    header['Cache-Control'] = 'no-cache'
    header['Content-Length'] = #body
    ngx.print(body)
end


local function post(reply)
    local fields, comments = reply[1], reply[2]
    local post = { Status = 'ok' }

    for i = 1, #fields, 2 do
        post[fields[i]] = fields[i + 1]
    end

    post.Timestamp = tonumber(post.Timestamp)
    post.Version = tonumber(post.Version)
    post.CommentCount = tonumber(post.CommentCount)

    for i = 1, #comments do
        comments[i] = cjson.decode(comments[i])
    end

    post.LastComments = comments

    return post
end


local function range()
    local next = ngx.var.arg_nextPage

    return next and '(' .. next or '+inf', ngx.var.arg_limit or 20
end


function peer.feed()
    local max, limit = range()
    local reply = ask(ngx.var.script, 1, 'peer:feed', max, limit, 'peer:post:',
                      'peer:comments:')
    local page = { posts = {} }

    for i = 1, #reply do
        if type(reply[i]) == 'table' then
            page.posts[i] = post(reply[i])
        else
            page.nextPage = reply[i]
        end
    end

    answer(cjson.encode(page))
end


function peer.cards()
    local max, limit = range()
    local reply = ask(ngx.var.script, 2, 'imagegram:{0}:feed',
                      'imagegram:{0}:cards', max, limit)
    local next = table.remove(reply)

    for i = 1, #reply do
        local id = reply[i]:sub(12, 47)

        reply[i] = reply[i]:gsub('\n', ',"Image":"/images/' .. id:sub(1, 2)
            .. '/' .. id:sub(3, 4) .. '/' .. id .. '.jpg",', 1)
    end

    answer('{"posts":[' .. table.concat(reply, ',') .. ']'
        .. (next == ngx.null and '' or ',"nextPage":"' .. next .. '"')
        .. '}')
end


return peer
