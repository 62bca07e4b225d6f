// recvmsg without waiting.
#include <hawser/engine/detail/datagram_message.hpp>
#include <hawser/engine/detail/datagram_receiver.hpp>
#include <hawser/engine/detail/sockaddr.hpp>

#include <sys/socket.h>
#include <sys/uio.h>

#include <cerrno>

namespace hawser::detail {

int DatagramReceiver::receive(int number, std::uint16_t port, Datagram& datagram) {
  if (!buffer_) buffer_ = std::make_unique_for_overwrite<char[]>(longest);
  SocketAddress from;
  iovec vector{buffer_.get(), longest};
  alignas(cmsghdr) char control[datagram_control_bytes];
  msghdr message{};
  message.msg_name = from.get();
  message.msg_namelen = sizeof from.storage;
  message.msg_iov = &vector;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;

  ssize_t length = -1;
  do {
    length = ::recvmsg(number, &message, MSG_DONTWAIT);
  } while (length < 0 && errno == EINTR);
  if (length < 0) return -errno;
  datagram = to_datagram(message, {buffer_.get(), static_cast<std::size_t>(length)}, port);
  return static_cast<int>(length);
}

}  // namespace hawser::detail
