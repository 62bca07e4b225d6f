#!/usr/bin/env escript
%% -*- erlang -*-
%%! +S 1:1 +SDcpu 1:1 +SDio 1 +A 1 +sbwt none +sbwtdcpu none +sbwtdio none +K true +P 262144 +Q 65536
%% Framed echo as an Erlang programmer would write it: gen_tcp cuts the packets ({packet, 2}), one
%% process per connection, {active, N} so that the socket is armed once per N packets. One scheduler
%% and no busy waiting, so that it is a single-core server whose CPU time is work.
-mode(compile).

-define(ACTIVE, 100).

main(Arguments) ->
    {Host, Port} = listen_address(Arguments, {"127.0.0.1", 0}),
    {ok, Address} = inet:parse_ipv4strict_address(Host),
    {ok, Listener} = gen_tcp:listen(Port, [binary, {ip, Address}, {packet, 2}, {active, false},
                                           {nodelay, true}, {reuseaddr, true}, {backlog, 4096},
                                           {delay_send, false}]),
    {ok, {_, Actual}} = inet:sockname(Listener),
    [spawn_link(fun() -> accept(Listener) end) || _ <- lists:seq(1, 4)],
    io:format("ready packet=~s:~b pid=~s~n", [Host, Actual, os:getpid()]),
    receive stop -> ok end.

listen_address([], Default) -> Default;
listen_address(["--listen", Text | Rest], _) ->
    [Host, Port] = string:split(Text, ":", trailing),
    listen_address(Rest, {Host, list_to_integer(Port)});
listen_address(["--mode", Mode | Rest], Address) when Mode =:= "echo"; Mode =:= "accept-close" ->
    listen_address(Rest, Address);
listen_address(_, _) ->
    io:format(standard_error,
              "usage: erlang_echo.escript [--listen HOST:PORT] [--mode echo|accept-close]~n", []),
    halt(2).

accept(Listener) ->
    case gen_tcp:accept(Listener) of
        {ok, Socket} ->
            Owner = spawn(fun() -> receive go -> start(Socket) end end),
            case gen_tcp:controlling_process(Socket, Owner) of
                ok -> Owner ! go;
                {error, _} -> exit(Owner, kill), gen_tcp:close(Socket)
            end,
            accept(Listener);
        {error, Reason} when Reason =:= emfile; Reason =:= enfile; Reason =:= system_limit ->
            receive after 50 -> accept(Listener) end;
        {error, closed} -> ok;
        {error, _} -> accept(Listener)
    end.

start(Socket) ->
    case inet:setopts(Socket, [{active, ?ACTIVE}]) of
        ok -> echo(Socket);
        {error, _} -> gen_tcp:close(Socket)
    end.

echo(Socket) ->
    receive
        {tcp, Socket, Packet} ->
            case gen_tcp:send(Socket, Packet) of
                ok -> echo(Socket);
                {error, _} -> gen_tcp:close(Socket)
            end;
        {tcp_passive, Socket} -> start(Socket);
        {tcp_closed, Socket} -> ok;
        {tcp_error, Socket, _} -> gen_tcp:close(Socket)
    end.
