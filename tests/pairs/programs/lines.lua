-- A line server and its client on LuaSocket: lines.lua server|client PORT
-- It speaks as tests/compat/programs/line_server.pl does.
local socket = require("socket")
local role, port = arg[1], tonumber(arg[2])

if role == "server" then
    local listener = assert(socket.bind("127.0.0.1", port))
    while true do
        local client = assert(listener:accept())
        assert(client:send("welcome MTLS-TEST-MARKER\n"))
        local line = client:receive("*l")
        while line do
            local count = line:match("^LINES (%d+)")
            if count then
                for number = 1, tonumber(count) do
                    assert(client:send("line " .. number .. " MTLS-TEST-MARKER\n"))
                end
            else
                assert(client:send(line:upper() .. "\n"))
            end
            line = client:receive("*l")
        end
        client:close()
    end
end

local server = assert(socket.connect("127.0.0.1", port))
server:settimeout(20)
assert(server:receive("*l") == "welcome MTLS-TEST-MARKER", "greeting")
for number = 1, 20 do
    assert(server:send("hello " .. number .. " mtls-test-marker\n"))
    assert(server:receive("*l") == "HELLO " .. number .. " MTLS-TEST-MARKER", "echo")
end
assert(server:send("LINES 30000\n"))
server:shutdown("send")
for number = 1, 30000 do
    local line = assert(server:receive("*l"))
    assert(line == "line " .. number .. " MTLS-TEST-MARKER", line)
end
assert(select(2, server:receive("*l")) == "closed", "end of stream")
print("fine")
