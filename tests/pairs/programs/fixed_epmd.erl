%% Nodes without epmd: each name holds its port. The second node asks the first one, whose
%% relay's port is in FIRST_RELAY, for a good deal of computing.
-module(fixed_epmd).
-export([start_link/0, register_node/2, register_node/3, port_please/2, port_please/3,
         address_please/3, listen_port_please/2, names/1, ask/1]).

start_link() -> ignore.
register_node(_Name, _Port) -> {ok, 1}.
register_node(_Name, _Port, _Family) -> {ok, 1}.
listen_port_please(_Name, _Host) -> {ok, 0}.
names(_Host) -> {error, address}.
address_please(_Name, Host, Family) -> inet:getaddr(Host, Family).
port_please(Name, Host) -> port_please(Name, Host, infinity).

port_please(_Name, _Host, _Timeout) ->
    {port, list_to_integer(os:getenv("FIRST_RELAY")), 6}.

ask([Node]) ->
    pong = net_adm:ping(Node),
    Block = binary:copy(<<"MTLS-TEST-MARKER">>, 100000),
    Size = byte_size(Block),
    [begin
         Size = rpc:call(Node, erlang, byte_size, [Block]),
         Block = rpc:call(Node, binary, copy, [<<"MTLS-TEST-MARKER">>, 100000])
     end || _ <- lists:seq(1, 5)],
    Self = self(),
    [spawn(Node, fun() -> Self ! {Number, "MTLS-TEST-MARKER"} end)
     || Number <- lists:seq(1, 100)],
    [receive {Number, "MTLS-TEST-MARKER"} -> ok end || Number <- lists:seq(1, 100)],
    io:format("fine~n"),
    halt(0).
