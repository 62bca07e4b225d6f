// Every entry of the accept table.
#include <hawser/engine/accept_errors.hpp>

#include <gtest/gtest.h>

#include <cerrno>
#include <cstring>
#include <ostream>

namespace hawser {
namespace {

struct Entry {
  int code;
  AcceptReaction reaction;
};

void PrintTo(const Entry& entry, std::ostream* out) { *out << strerrorname_np(entry.code); }

class AcceptErrors : public ::testing::TestWithParam<Entry> {};

TEST_P(AcceptErrors, HasItsReaction) {
  EXPECT_EQ(accept_reaction(GetParam().code), GetParam().reaction);
}

using enum AcceptReaction;
INSTANTIATE_TEST_SUITE_P(
    Table, AcceptErrors,
    testing::Values(Entry{ECONNABORTED, retry}, Entry{ECONNRESET, retry}, Entry{EINTR, retry},
                    Entry{EAGAIN, retry}, Entry{ENETDOWN, retry}, Entry{ENETUNREACH, retry},
                    Entry{EHOSTDOWN, retry}, Entry{EHOSTUNREACH, retry}, Entry{ENONET, retry},
                    Entry{EPROTO, retry}, Entry{ENOPROTOOPT, retry}, Entry{EOPNOTSUPP, retry},
                    Entry{ETIMEDOUT, retry}, Entry{EPERM, retry}, Entry{EMFILE, pause},
                    Entry{ENFILE, pause}, Entry{ENOBUFS, pause}, Entry{ENOMEM, pause},
                    Entry{EBADF, fatal}, Entry{ENOTSOCK, fatal}, Entry{EINVAL, fatal},
                    Entry{EFAULT, fatal}, Entry{EIO, pause}, Entry{EXDEV, pause}),
    [](const auto& tested) { return std::string(strerrorname_np(tested.param.code)); });

}  // namespace
}  // namespace hawser
