-- wrk's script: transfers between random accounts, each with an id of its own.
--   wrk … -s transfer.lua http://127.0.0.1:PORT -- RUN ACCOUNTS
-- RUN makes the ids of one run different from those of all others. The last line is JSON.

local threads = 0

function setup(thread)
    thread:set("number", threads)
    threads = threads + 1
end

function init(arguments)
    run = arguments[1] .. "-" .. number .. "-"
    accounts = tonumber(arguments[2])
    sent = 0
    math.randomseed(os.time() + number * 7919)
    -- All bodies have one length, so that the head up to the id is one constant.
    local body = string.format(BODY, 0, 1, 100)
    head = "POST /bank/Transfer HTTP/1.1\r\nHost: " .. wrk.host .. ":" .. wrk.port ..
        "\r\nContent-Type: application/json\r\nContent-Length: " .. #body ..
        "\r\nIdempotency-Key: " .. run
end

BODY = '{"from":"%012d","to":"%012d","amount":%d,"currency":"EUR"}'

function request()
    local from = math.random(0, accounts - 1)
    local to = (from + math.random(1, accounts - 1)) % accounts
    sent = sent + 1
    return head .. sent .. "\r\n\r\n" .. string.format(BODY, from, to, math.random(100, 999))
end

function done(summary, latency, requests)
    local errors = summary.errors
    print(string.format('{"count":%d,"us":%d,"failed":%d,"p50_us":%d,"p99_us":%d}',
        summary.requests, summary.duration,
        errors.connect + errors.read + errors.write + errors.status + errors.timeout,
        latency:percentile(50), latency:percentile(99)))
end
