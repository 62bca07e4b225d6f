// The table of accept errors.
#include <hawser/engine/accept_errors.hpp>

#include <cerrno>

namespace hawser {

AcceptReaction accept_reaction(int code) noexcept {
  switch (code) {
    // The peer went away, or a call was interrupted or found nothing.
    case ECONNABORTED:
    case ECONNRESET:
    case EINTR:
    case EAGAIN:
    // Linux hands pending errors of the new connection's network to accept; accept(2) says to treat
    // them like EAGAIN.
    case ENETDOWN:
    case ENETUNREACH:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENONET:
    case EPROTO:
    case ENOPROTOOPT:
    case EOPNOTSUPP:
    case ETIMEDOUT:
    // A firewall rule forbade this one connection.
    case EPERM:
      return AcceptReaction::retry;

    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
      return AcceptReaction::pause;

    // Not a socket, not a listening one, or not there.
    case EBADF:
    case ENOTSOCK:
    case EINVAL:
    case EFAULT:
      return AcceptReaction::fatal;

    default:
      return AcceptReaction::pause;
  }
}

}  // namespace hawser
