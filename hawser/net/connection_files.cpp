// Files out of a connection: a piece is read when all before the last one has left, so that at most
// two are in memory, however slow the peer is.
#include <hawser/net/connection.hpp>

#include <hawser/net/detail/connection_rare.hpp>
#include <hawser/net/detail/file_transfer.hpp>
#include <hawser/process/scheduler.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace hawser {
namespace {
constexpr std::size_t least_piece = 4096;
constexpr std::size_t largest_piece = std::size_t{256} << 10;
}  // namespace

void Connection::send_file(FileToSend file, detail::WriteDone done) {
  const auto refuse = [&done](ErrorKind kind, const char* why) {
    done(std::unexpected(Error{kind, 0, "send_file", why}));
  };
  if (!attached_ || sending_ended_ || over())
    return refuse(ErrorKind::closed, "nothing can be sent on this connection any more");
  if (sends_file()) return refuse(ErrorKind::overloaded, "another file is being sent");
  if (diverted_ != 0)
    return refuse(ErrorKind::overloaded,
                  "packets wait to be sent, which a file would overtake; try again when they left");
  if (stack_ != nullptr && stack_->keeps_packets())
    return refuse(ErrorKind::unsupported, "the transport carries packets, and no stream of bytes");
  // Two of them stay below the high-water mark.
  const std::size_t piece = std::clamp(options().high_water / 4, least_piece, largest_piece);
  rare().file = std::make_shared<detail::FileTransfer>(std::move(file), piece, std::move(done));
  divert(divert_file);
  hold(hold_file);
  read_file();
}

bool Connection::sends_file() const noexcept { return rare_ != nullptr && rare_->file != nullptr; }

void Connection::read_file() {
  // By its pid and the transfer: when the piece is there, the connection may be gone, or have
  // become another.
  scheduler().engine().run_blocking(
      [transfer = rare_->file] { transfer->read(); },
      [this, &home = scheduler(), self = pid(), transfer = rare_->file] {
        if (home.find(self) != this || rare_ == nullptr || rare_->file != transfer || over())
          return;
        run_quietly("send_file", [&] { file_read(*transfer); });
      });
}

void Connection::file_read(detail::FileTransfer& transfer) {
  if (!transfer.outcome) {
    Error why = transfer.outcome.error();
    if (transfer.begun) {
      // The peer was promised more: no byte that could follow would be where it belongs.
      give_up(Reason::failed(why.text()), true);
    } else {
      end_file();
    }
    transfer.done(std::unexpected(std::move(why)));
    return;
  }
  SendQueue* queue = open_queue();
  if (queue == nullptr) return;  // the socket has failed, and the connection is about to be told
  std::size_t before = queue->size();
  const std::uint64_t all_before = bytes_out_;
  if (!std::exchange(transfer.begun, true) && transfer.what.head)
    queue->append(transfer.what.head(transfer.size()));
  queue->append(Payload(std::exchange(transfer.piece, {})));
  queued(before, *queue, 0);
  if (over()) return;
  if (!transfer.complete()) {
    add_receipt(all_before, [this, kept = rare_->file](Result<void> written) {
      if (written && sends_file() && rare_->file == kept && !over()) read_file();
    });
    return;
  }
  add_receipt(bytes_out_, std::move(transfer.done));
  end_file();
}

/// What waited behind the file goes, and reading goes on.
void Connection::end_file() {
  rare_->file.reset();
  undivert(divert_file);
  if (!over()) let_go(hold_file);
}

void Connection::handle_call(SendFile request, From<bool> from) {
  send_file(std::move(request.file), [answer = std::move(from)](Result<void> written) mutable {
    written ? answer.reply(true) : answer.fail(std::move(written.error()));
  });
}

}  // namespace hawser
