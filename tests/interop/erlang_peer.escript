#!/usr/bin/env escript
%% A gen_tcp peer with {packet, N}: erlang_peer.escript PORT LENGTH-BYTES. Says "ok" when all is well.

main([PortText, WidthText]) ->
    Port = list_to_integer(PortText),
    Packet = list_to_integer(WidthText),
    ping(connect(Port, Packet)),
    unknown(connect(Port, Packet)),
    pipelined(connect(Port, Packet), 1000),
    largest(connect(Port, Packet), Packet),
    active(connect(Port, Packet)),
    stop(connect(Port, Packet)),
    io:format("ok~n").

connect(Port, Packet) ->
    {ok, Socket} = gen_tcp:connect({127, 0, 0, 1}, Port,
                                   [binary, {packet, Packet}, {active, false}, {nodelay, true}]),
    Socket.

ping(Socket) ->
    ok = gen_tcp:send(Socket, <<"ping">>),
    {ok, <<"pong">>} = gen_tcp:recv(Socket, 0, 60000),
    ok = gen_tcp:close(Socket).

%% Anything else is not answered: what comes next is the answer to the ping behind it.
unknown(Socket) ->
    ok = gen_tcp:send(Socket, <<"pingpong">>),
    ok = gen_tcp:send(Socket, <<>>),
    ok = gen_tcp:send(Socket, <<"stop">>),
    {ok, <<"ok">>} = gen_tcp:recv(Socket, 0, 60000),
    {error, closed} = gen_tcp:recv(Socket, 0, 60000).

pipelined(Socket, Count) ->
    [ok = gen_tcp:send(Socket, <<"ping">>) || _ <- lists:seq(1, Count)],
    [{ok, <<"pong">>} = gen_tcp:recv(Socket, 0, 60000) || _ <- lists:seq(1, Count)],
    ok = gen_tcp:close(Socket).

largest(Socket, 1) -> large(Socket, 255);
largest(Socket, 2) -> large(Socket, 65535);
largest(Socket, 4) -> large(Socket, 1000000).

large(Socket, Size) ->
    ok = gen_tcp:send(Socket, binary:copy(<<"x">>, Size)),
    ping(Socket).

%% In active mode, with a thousand in one write of ours.
active(Socket) ->
    ok = inet:setopts(Socket, [{active, true}]),
    [ok = gen_tcp:send(Socket, <<"ping">>) || _ <- lists:seq(1, 1000)],
    [receive {tcp, Socket, <<"pong">>} -> ok after 60000 -> exit(no_pong) end
     || _ <- lists:seq(1, 1000)],
    ok = gen_tcp:send(Socket, <<"stop">>),
    receive {tcp, Socket, <<"ok">>} -> ok after 60000 -> exit(no_ok) end,
    receive {tcp_closed, Socket} -> ok after 60000 -> exit(not_closed) end.

stop(Socket) ->
    ok = gen_tcp:send(Socket, <<"ping">>),
    ok = gen_tcp:send(Socket, <<"stop">>),
    ok = gen_tcp:send(Socket, <<"ping">>),
    {ok, <<"pong">>} = gen_tcp:recv(Socket, 0, 60000),
    {ok, <<"ok">>} = gen_tcp:recv(Socket, 0, 60000),
    {error, closed} = gen_tcp:recv(Socket, 0, 60000).
