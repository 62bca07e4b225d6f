#!/usr/bin/env escript
%% -*- erlang -*-
%%! +P 262144 +Q 65536
%% The same as erlang_otp_echo as it is run in practice: on ranch, with its pool of acceptors, its
%% supervisors of connections and its handshake, and on Erlang's own defaults, whose schedulers are as
%% many as there are CPUs and spin a little before they sleep.
-mode(compile).

-export([start_link/3, init/1, init/3, handle_call/3, handle_cast/2, handle_info/2]).

-define(ACTIVE, 100).

main(Arguments) ->
    {Host, Port} = listen_address(Arguments, {"127.0.0.1", 0}),
    {ok, Address} = inet:parse_ipv4strict_address(Host),
    true = code:add_patha("@RANCH_EBIN@"),
    case application:ensure_all_started(ranch) of
        {ok, _} -> ok;
        {error, Why} ->
            io:format(standard_error, "ranch does not start: ~p~n", [Why]),
            halt(1)
    end,
    Options = #{max_connections => infinity,
                socket_opts => [{ip, Address}, {port, Port}, {nodelay, true}, {backlog, 4096}]},
    {ok, _} = ranch:start_listener(echo, ranch_tcp, Options, ?MODULE, []),
    io:format("ready packet=~s:~b pid=~s~n", [Host, ranch:get_port(echo), os:getpid()]),
    receive stop -> ok end.

listen_address([], Default) -> Default;
listen_address(["--listen", Text | Rest], _) ->
    [Host, Port] = string:split(Text, ":", trailing),
    listen_address(Rest, {Host, list_to_integer(Port)});
listen_address(["--mode", Mode | Rest], Address) when Mode =:= "echo"; Mode =:= "accept-close" ->
    listen_address(Rest, Address);
listen_address(_, _) ->
    io:format(standard_error,
              "usage: erlang_ranch_echo.escript [--listen HOST:PORT] [--mode echo|accept-close]~n",
              []),
    halt(2).

start_link(Ref, Transport, Options) ->
    {ok, proc_lib:spawn_link(?MODULE, init, [Ref, Transport, Options])}.

init(Ref, Transport, _) ->
    {ok, Socket} = ranch:handshake(Ref),
    ok = Transport:setopts(Socket, [{packet, 2}, {active, ?ACTIVE}]),
    gen_server:enter_loop(?MODULE, [], Socket).

init(Socket) -> {ok, Socket}.

handle_call(_, _, Socket) -> {reply, ok, Socket}.
handle_cast(_, Socket) -> {noreply, Socket}.

handle_info({tcp, Socket, Packet}, Socket) ->
    case gen_tcp:send(Socket, Packet) of
        ok -> {noreply, Socket};
        {error, _} -> {stop, normal, Socket}
    end;
handle_info({tcp_passive, Socket}, Socket) ->
    case inet:setopts(Socket, [{active, ?ACTIVE}]) of
        ok -> {noreply, Socket};
        {error, _} -> {stop, normal, Socket}
    end;
handle_info({tcp_closed, Socket}, Socket) -> {stop, normal, Socket};
handle_info({tcp_error, Socket, _}, Socket) -> {stop, normal, Socket}.
