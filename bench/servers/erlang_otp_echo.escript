#!/usr/bin/env escript
%% -*- erlang -*-
%%! +S 1:1 +SDcpu 1:1 +SDio 1 +A 1 +sbwt none +sbwtdcpu none +sbwtdio none +K true +P 262144 +Q 65536
%% The same as erlang_echo as OTP wants it, and as its libraries of acceptors do it: each connection
%% is a gen_server under a supervisor of temporary children. So it compares what a supervised
%% connection costs, to accept above all.
-mode(compile).

-export([start_connection/1]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2]).

-define(ACTIVE, 100).

main(Arguments) ->
    {Host, Port} = listen_address(Arguments, {"127.0.0.1", 0}),
    {ok, Address} = inet:parse_ipv4strict_address(Host),
    {ok, Listener} = gen_tcp:listen(Port, [binary, {ip, Address}, {packet, 2}, {active, false},
                                           {nodelay, true}, {reuseaddr, true}, {backlog, 4096},
                                           {delay_send, false}]),
    {ok, Supervisor} = supervisor:start_link(?MODULE, supervisor),
    {ok, {_, Actual}} = inet:sockname(Listener),
    [spawn_link(fun() -> accept(Listener, Supervisor) end) || _ <- lists:seq(1, 4)],
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
              "usage: erlang_otp_echo.escript [--listen HOST:PORT] [--mode echo|accept-close]~n",
              []),
    halt(2).

accept(Listener, Supervisor) ->
    case gen_tcp:accept(Listener) of
        {ok, Socket} ->
            {ok, Owner} = supervisor:start_child(Supervisor, [Socket]),
            case gen_tcp:controlling_process(Socket, Owner) of
                ok -> Owner ! go;
                {error, _} -> gen_tcp:close(Socket), exit(Owner, shutdown)
            end,
            accept(Listener, Supervisor);
        {error, Reason} when Reason =:= emfile; Reason =:= enfile; Reason =:= system_limit ->
            receive after 50 -> accept(Listener, Supervisor) end;
        {error, closed} -> ok;
        {error, _} -> accept(Listener, Supervisor)
    end.

start_connection(Socket) -> gen_server:start_link(?MODULE, Socket, []).

init(supervisor) ->
    {ok, {#{strategy => simple_one_for_one},
          [#{id => connection, start => {?MODULE, start_connection, []}, restart => temporary,
             shutdown => 5000, type => worker}]}};
init(Socket) -> {ok, Socket}.

handle_call(_, _, Socket) -> {reply, ok, Socket}.
handle_cast(_, Socket) -> {noreply, Socket}.

handle_info({tcp, Socket, Packet}, Socket) ->
    case gen_tcp:send(Socket, Packet) of
        ok -> {noreply, Socket};
        {error, _} -> {stop, normal, Socket}
    end;
handle_info(Go, Socket) when Go =:= go; Go =:= {tcp_passive, Socket} ->
    case inet:setopts(Socket, [{active, ?ACTIVE}]) of
        ok -> {noreply, Socket};
        {error, _} -> {stop, normal, Socket}
    end;
handle_info({tcp_closed, Socket}, Socket) -> {stop, normal, Socket};
handle_info({tcp_error, Socket, _}, Socket) -> {stop, normal, Socket}.
