-- The card of a post: its JSON as the feed sends it, kept ready in one hash,
-- so that a page is one HMGET.  It is rendered anew by whatever changes the
-- post, from the post's own hash.  A line feed, which JSON text never
-- contains, stands where the worker puts the image.  Part of every script
-- that changes a post.

local function card(post)
    local last = post.newest

    if last ~= '' and post.second ~= '' then
        last = last .. ',' .. post.second
    end

    return post.head .. ',"Version":' .. post.version
           .. ',"Status":"ok","CommentCount":' .. post.count
           .. ',' .. post.tail .. '\n"LastComments":[' .. last .. ']}'
end
