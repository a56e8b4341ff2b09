-- wrk's script: the request, if a body is given, and what it measured in one
-- line: requests, seconds, p50, p99, max (ms), answers that are no 2xx, errors
-- of sockets.
--
-- wrk ... -s wrk.lua URL -- [file with a JSON body]

function init(args)
    if args[1] then
        local file = assert(io.open(args[1], 'rb'))

        wrk.method = 'POST'
        wrk.headers['Content-Type'] = 'application/json'
        wrk.body = file:read('*a')

        file:close()
    end
end


function done(summary, latency)
    local e = summary.errors

    print(string.format('result %d %.6f %.3f %.3f %.3f %d %d',
        summary.requests, summary.duration / 1e6,
        latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
        latency.max / 1e3, e.status, e.connect + e.read + e.write + e.timeout))
end
