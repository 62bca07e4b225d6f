// Forward declarations of the process layer, so that headers above it stay light. Public.
#pragma once

namespace hawser {

class Process;
class Scheduler;
class System;
class Reason;
class Info;
class Next;
class Message;
class MessagePool;
class Registry;
class TimerWheel;
struct Pid;
struct ChildSpec;
template <class T>
class Task;
template <class Handler>
class Ref;
template <class Reply>
class From;

}  // namespace hawser
