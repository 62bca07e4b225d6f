// The signals of this very process, sent by itself.
#include <hawser/engine/signal_watch.hpp>

#include <gtest/gtest.h>

#include <unistd.h>
#include <csignal>
#include <semaphore>

namespace hawser {
namespace {

TEST(SignalWatch, EveryHangupIsToldHoweverCloseTheyAre) {
  std::counting_semaphore<> told(0);
  SignalWatch watch({SIGHUP}, [&](int number) {
    EXPECT_EQ(number, SIGHUP);
    told.release();
  });
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(kill(getpid(), SIGHUP), 0);
    told.acquire();  // the next one is not merged with it by the kernel
  }
}

}  // namespace
}  // namespace hawser
