// What a shared object's bytes must say before anything of it runs.
#include <hawser/net/module/module_file.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <string>

namespace hawser {
namespace {

std::string module_path(const std::string& name) {
  return std::string(HAWSER_TEST_MODULES) + "/" + name + ".so";
}

Bytes read_all(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(ModuleFile, tells_handler_and_version_without_loading) {
  const auto read = read_module_file(module_path("tally_2"), 100'000'000);
  ASSERT_TRUE(read.has_value()) << read.error().text();
  EXPECT_EQ(read->handler(), "Tally");
  EXPECT_EQ(read->stamp.version, 2U);
}

TEST(ModuleFile, what_is_no_module_is_refused_with_the_reason) {
  const auto says = [](BytesView file, std::string_view why) {
    const auto checked = check_module(file);
    ASSERT_FALSE(checked.has_value());
    EXPECT_EQ(checked.error().kind, ErrorKind::invalid_argument);
    EXPECT_NE(checked.error().detail.find(why), std::string::npos) << checked.error().text();
  };
  says("", "no ELF file");
  says("#!/bin/sh\necho I am a script, and longer than the header of a shared object is\n",
       "no ELF file");
  says(read_all("/proc/self/exe"), "HAWSER_EXPORT_HANDLER");
  Bytes other = read_all(module_path("tally_1"));
  other[4] = 1;  // 32 bits
  says(other, "another kind of machine");
}

TEST(ModuleFile, another_abi_is_refused_and_both_are_named) {
  Bytes file = read_all(module_path("tally_1"));
  const auto at = file.find("hawser 0.");
  ASSERT_NE(at, Bytes::npos);
  file.replace(at, 9, "hawser 9.");
  const auto checked = check_module(file);
  ASSERT_FALSE(checked.has_value());
  EXPECT_EQ(checked.error().kind, ErrorKind::unsupported);
  EXPECT_NE(checked.error().detail.find("'hawser 9."), std::string::npos);
  EXPECT_NE(checked.error().detail.find("'hawser 0."), std::string::npos);
}

#if defined(__GNUC__) && !defined(__clang__)
TEST(ModuleFile, one_that_could_never_be_unloaded_is_refused_with_the_cure) {
  const auto read = read_module_file(module_path("tally_plain"), 100'000'000);
  ASSERT_FALSE(read.has_value());
  EXPECT_NE(read.error().detail.find("-fno-gnu-unique"), std::string::npos);
}
#endif

TEST(ModuleFile, is_not_read_beyond_the_size_limit) {
  const auto read = read_module_file(module_path("tally_1"), 1000);
  ASSERT_FALSE(read.has_value());
  EXPECT_EQ(read.error().kind, ErrorKind::overloaded);
  EXPECT_NE(read.error().detail.find("size_limit"), std::string::npos);
  EXPECT_EQ(read_module_file("/nowhere/handler.so", 1000).error().kind, ErrorKind::not_found);
}

TEST(ModuleFile, cut_off_or_damaged_it_is_an_error_and_never_a_crash) {
  const Bytes file = read_all(module_path("tally_1"));
  // Every length in the header, whose fields are what leads astray; then in larger steps.
  for (std::size_t size = 0; size < file.size(); size += size < 4096 ? 1 : 997)
    static_cast<void>(check_module(BytesView(file).substr(0, size)));
  const std::size_t interesting[] = {0, 64 * 12, file.size() - 64 * 40, file.size()};
  for (std::size_t part = 0; part < 4; part += 2)
    for (std::size_t at = interesting[part]; at < interesting[part + 1]; ++at)
      for (const char value : {'\0', '\x7f', '\xff'}) {
        Bytes damaged = file;
        damaged[at] = value;
        static_cast<void>(check_module(damaged));
      }
}

}  // namespace
}  // namespace hawser
