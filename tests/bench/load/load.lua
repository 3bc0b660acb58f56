-- Sends the requests of a feed. With n threads, each thread sends every n-th line.
-- wrk ... -s load.lua URL -- FEED THREADS RUN [once]
-- A line of a feed contains method, path, login token, body, and further headers as `Name: value`,
-- separated by tabs. `@` in path and body is replaced by a text that is unique for each request.
-- With `once`, each line is sent once, and a thread without further lines sends requests that fail.
local threads = 0

function setup(thread)
  thread:set("number", threads)
  threads = threads + 1
end

function init(args)
  local feed, step = args[1], tonumber(args[2])
  run, once = args[3], args[4] == "once"
  lines, position, sent = {}, 0, 0
  local index = 0
  for line in io.lines(feed) do
    if index % step == number then lines[#lines + 1] = prepared(line) end
    index = index + 1
  end
end

function prepared(line)
  local method, path, token, body, others = line:match("^(.-)\t(.-)\t(.-)\t([^\t]*)(.*)$")
  local headers = { ["User-Agent"] = "bench", ["Host"] = wrk.headers["Host"] }
  if token ~= "" then headers["Authorization"] = "Bearer " .. token end
  if body ~= "" then headers["Content-Type"] = "application/json" end
  for name, value in others:gmatch("\t(.-): ([^\t]*)") do headers[name] = value end
  if (path .. body):find("@", 1, true) then return { method, path, headers, body } end
  return wrk.format(method, path, headers, body ~= "" and body or nil)
end

function request()
  position = position + 1
  if position > #lines then
    if once then return wrk.format("GET", "/bare/ran-out-of-requests") end
    position = 1
  end
  local line = lines[position]
  if type(line) == "string" then return line end
  sent = sent + 1
  local unique = run .. "-" .. number .. "-" .. sent
  local path, body = line[2]:gsub("@", unique), line[4]:gsub("@", unique)
  return wrk.format(line[1], path, line[3], body ~= "" and body or nil)
end

function done(summary, latency)
  local e = summary.errors
  io.write(string.format(
    '\n{"requests": %d, "seconds": %.6f, "p50": %.3f, "p99": %.3f, "errors": %d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3,
    latency:percentile(99) / 1e3, e.connect + e.read + e.write + e.status + e.timeout))
end
