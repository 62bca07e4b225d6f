#!/usr/bin/env escript
%% Erlang's ssl with {packet, N}: `client CA CERTIFICATE KEY [PORT WIDTH VERSION]…` says "ok" when all is
%% well; `server WIDTH VERSION CA CERTIFICATE KEY` prints its port and echoes.
-mode(compile).

main(["client", Ca, Certificate, Key | Servers]) ->
    {ok, _} = application:ensure_all_started(ssl),
    clients(Ca, Certificate, Key, Servers),
    io:format("ok~n");
main(["server", Width, Version, Ca, Certificate, Key]) ->
    {ok, _} = application:ensure_all_started(ssl),
    Options = [{verify, verify_peer}, {fail_if_no_peer_cert, true}, {reuseaddr, true},
               {ip, {127, 0, 0, 1}}, {alpn_preferred_protocols, [<<"echo/1">>]}
               | options(Width, Version, Ca, Certificate, Key)],
    {ok, Listener} = ssl:listen(0, Options),
    {ok, {_, Port}} = ssl:sockname(Listener),
    io:format("port ~b~n", [Port]),
    accept(Listener).

clients(_, _, _, []) -> ok;
clients(Ca, Certificate, Key, [Port, Width, Version | Servers]) ->
    Options = [{verify, verify_peer}, {server_name_indication, "localhost"}, {depth, 2},
               {alpn_advertised_protocols, [<<"none">>, <<"echo/1">>]}
               | options(Width, Version, Ca, Certificate, Key)],
    {ok, Socket} = ssl:connect({127, 0, 0, 1}, list_to_integer(Port), Options, 60000),
    {ok, <<"echo/1">>} = ssl:negotiated_protocol(Socket),
    {ok, [{protocol, Agreed}]} = ssl:connection_information(Socket, [protocol]),
    Agreed = list_to_atom(Version),
    Sizes = [0, 1, 100, 250 | [Size || list_to_integer(Width) > 1, Size <- [16000, 17000, 65535]]],
    [echo(Socket, binary:copy(<<"x">>, Size)) || Size <- Sizes, _ <- lists:seq(1, 10)],
    [ok = ssl:send(Socket, <<"pipelined">>) || _ <- lists:seq(1, 500)],
    [{ok, <<"pipelined">>} = ssl:recv(Socket, 0, 60000) || _ <- lists:seq(1, 500)],
    ok = ssl:setopts(Socket, [{active, true}]),
    ok = ssl:send(Socket, <<"active">>),
    receive {ssl, Socket, <<"active">>} -> ok after 60000 -> exit(no_echo) end,
    ok = ssl:close(Socket),
    clients(Ca, Certificate, Key, Servers).

options(Width, Version, Ca, Certificate, Key) ->
    [binary, {packet, list_to_integer(Width)}, {active, false}, {versions, [list_to_atom(Version)]},
     {cacertfile, Ca}, {certfile, Certificate}, {keyfile, Key}].

echo(Socket, Packet) ->
    ok = ssl:send(Socket, Packet),
    {ok, Packet} = ssl:recv(Socket, 0, 60000).

accept(Listener) ->
    {ok, Transport} = ssl:transport_accept(Listener),
    Owner = spawn(fun() -> receive go -> serve(Transport) end end),
    ok = ssl:controlling_process(Transport, Owner),
    Owner ! go,
    accept(Listener).

serve(Transport) ->
    {ok, Socket} = ssl:handshake(Transport, 60000),
    answer(Socket).

answer(Socket) ->
    case ssl:recv(Socket, 0, 60000) of
        {ok, Packet} -> ok = ssl:send(Socket, Packet), answer(Socket);
        {error, closed} -> io:format("closed~n")
    end.
