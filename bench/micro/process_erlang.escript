#!/usr/bin/env escript
%%! +S 1:1 -noinput
%% What process_bench.cpp measures, in Erlang on one scheduler: cast and handle, call round trip,
%% spawn with exit and the monitor's notice. Nanoseconds each, the best of five rounds.
-mode(compile).

main(_) ->
    N = 300000,
    report("cast_and_handle", N, fun() -> casts(N) end),
    Server = spawn(fun serve/0),
    report("call_round_trip", N, fun() -> calls(Server, N) end),
    report("spawn_exit_and_notice", N, fun() -> spawns(N) end).

report(Name, N, Run) ->
    Best = lists:min([element(1, timer:tc(Run)) || _ <- lists:seq(1, 5)]),
    io:format("~-24s ~8.1f ns~n", [Name, Best * 1000 / N]).

%% To itself, as the C++ one does: send, queue, receive, one after the other.
casts(0) -> ok;
casts(N) ->
    self() ! {'$gen_cast', tick},
    receive {'$gen_cast', tick} -> casts(N - 1) end.

serve() ->
    receive
        {'$gen_call', {From, Ref}, X} ->
            From ! {Ref, X + 1},
            serve()
    end.

%% What gen_server:call does: a monitor guards the wait.
calls(_, 0) -> ok;
calls(Server, N) ->
    Ref = monitor(process, Server),
    Server ! {'$gen_call', {self(), Ref}, 1},
    receive
        {Ref, _} ->
            demonitor(Ref, [flush]),
            calls(Server, N - 1);
        {'DOWN', Ref, _, _, Reason} ->
            exit(Reason)
    end.

spawns(0) -> ok;
spawns(N) ->
    {Pid, Ref} = spawn_monitor(fun() -> receive stop -> ok end end),
    Pid ! stop,
    receive {'DOWN', Ref, _, _, _} -> spawns(N - 1) end.
