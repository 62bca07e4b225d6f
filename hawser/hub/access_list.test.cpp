// Users, rules and passwords of the hub.
#include <hawser/hub/access_list.hpp>

#include <gtest/gtest.h>

namespace hawser::hub {
namespace {

// Of "secret", cheap: N = 2.
std::string cheap_hash() { return "scrypt$1$1$1$0001020304050607$" + std::string(64, '0'); }

TEST(PasswordHash, a_hash_is_good_for_its_password_alone) {
  const auto hash = hash_password("secret");
  ASSERT_TRUE(hash);
  EXPECT_TRUE(hash->starts_with("scrypt$15$8$1$"));
  EXPECT_EQ(hash->find("secret"), std::string::npos);
  EXPECT_TRUE(verify_password("secret", *hash));
  EXPECT_FALSE(verify_password("secres", *hash));
  EXPECT_FALSE(verify_password("", *hash));
  EXPECT_NE(*hash, *hash_password("secret")) << "each has its salt";
}

TEST(PasswordHash, what_is_none_is_told_and_good_for_nothing) {
  EXPECT_TRUE(check_password_hash(cheap_hash()));
  for (const std::string& bad :
       {std::string{}, std::string("secret"), std::string("scrypt$15$8$1$00"), cheap_hash() + "$1",
        "bcrypt" + cheap_hash().substr(6), "scrypt$25$1$1$0001020304050607$" + std::string(64, '0'),
        "scrypt$20$64$1$0001020304050607$" + std::string(64, '0'),
        "scrypt$0$1$1$0001020304050607$" + std::string(64, '0'),
        "scrypt$1$1$1$000102030405060x$" + std::string(64, '0'),
        "scrypt$1$1$1$0001020304050607$" + std::string(62, '0')}) {
    const auto checked = check_password_hash(bad);
    ASSERT_FALSE(checked) << bad;
    EXPECT_NE(checked.error().detail.find("--hash-password"), std::string::npos);
    EXPECT_FALSE(verify_password("", bad));
  }
}

TEST(AccessList, the_file_is_read_and_its_faults_are_named_with_their_line) {
  const auto rules = parse_access_rules(
      "stomp = \"none\"\n[users.alice]\npassword-hash = \"" + cheap_hash() +
          "\"\nread = [\"/topic/>\"]\n[users.bob]\ncertificate = \"CN=bob\"\nwrite = [\">\"]\n"
          "[anonymous]\nread = [\"/topic/public\"]\n",
      "hub.toml");
  ASSERT_TRUE(rules) << rules.error().text();
  EXPECT_EQ(rules->users.size(), 2U);
  EXPECT_EQ(rules->users.at("alice").read, std::vector<std::string>{"/topic/>"});
  EXPECT_TRUE(rules->anonymous);
  EXPECT_TRUE(parse_access_rules("stomp = \"none\"\n", "x")->open());
  for (const auto& [text, says] : std::initializer_list<std::pair<std::string, std::string>>{
           {"[users.a]\nread = [\"/topic/>\"]\n", "f:1: a user needs"},
           {"[users.a]\npassword = \"x\"\n", "f:2: unknown key 'password'"},
           {"[users.a]\npassword-hash = \"x\"\n", "f:2: password-hash"},
           {"[users.a]\npassword-hash = 1\n", "a string is wanted"},
           {"[users.a]\nread = \"/topic/a\"\n", "a list of destinations"},
           {"[users.a]\nread = [1]\n", "destinations are strings"},
           {"[users.a]\nread = [\"topic\"]\n", "destinations are strings"},
           {"[anonymous]\npassword-hash = \"x\"\n", "f:2: unknown key"},
           {"users = 1\n", "users are tables"},
           {"anonymous = 1\n", "anonymous is a table"},
           {"users = [\n", "f:"},
       }) {
    const auto wrong = parse_access_rules(text, "f");
    ASSERT_FALSE(wrong) << text;
    EXPECT_NE(wrong.error().text().find(says), std::string::npos) << wrong.error().text();
  }
  EXPECT_FALSE(read_access_rules("/nowhere/hub.toml"));
}

TEST(AccessList, nobody_is_asked_when_there_are_no_users) {
  const AccessList open{AccessRules{}};
  EXPECT_EQ(**open.log_in_at_once({}), "");
  EXPECT_EQ(**open.log_in_at_once({.login = "anybody"}), "anybody");
  EXPECT_TRUE(open.may_read("anybody", "/topic/>"));
}

TEST(AccessList, a_good_password_is_remembered_and_a_wrong_one_is_not) {
  AccessRules rules;
  rules.users["alice"].password_hash = *hash_password("secret");
  rules.users["alice"].read = {"/topic/a"};
  AccessList list(rules);
  EXPECT_FALSE(list.log_in_at_once({.login = "alice", .passcode = "secret"})) << "must be hashed";
  EXPECT_FALSE(list.log_in({.login = "alice", .passcode = "wrong"}));
  EXPECT_FALSE(list.log_in_at_once({.login = "alice", .passcode = "wrong"}));
  EXPECT_EQ(*list.log_in({.login = "alice", .passcode = "secret"}), "alice");
  const auto again = list.log_in_at_once({.login = "alice", .passcode = "secret"});
  ASSERT_TRUE(again);
  EXPECT_EQ(**again, "alice");
  EXPECT_FALSE(list.log_in_at_once({.login = "alice", .passcode = "secres"}));
  EXPECT_FALSE(list.log_in({.login = "bob", .passcode = "secret"}));
  EXPECT_FALSE(*list.log_in_at_once({})) << "nobody is anonymous here";
  list.replace(rules);
  EXPECT_FALSE(list.log_in_at_once({.login = "alice", .passcode = "secret"}));
}

TEST(AccessList, a_certificate_names_its_user) {
  AccessRules rules;
  rules.users["bob"].certificate = "CN=bob";
  const AccessList list(rules);
  EXPECT_EQ(**list.log_in_at_once({.certificate_subject = "CN=bob"}), "bob");
  EXPECT_FALSE(*list.log_in_at_once({.certificate_subject = "CN=eve"}));
  EXPECT_FALSE(list.log_in({.login = "bob"})) << "a name is no password";
}

TEST(AccessList, rules_allow_what_they_list_and_hold_anew_when_replaced) {
  AccessRules rules;
  rules.users["alice"] = {
      .password_hash = {}, .certificate = "CN=a", .read = {"/topic/a.>"}, .write = {"/queue/*"}};
  rules.anonymous = UserRules{.read = {"/topic/public"}};
  AccessList list(rules);
  EXPECT_TRUE(list.may_read("alice", "/topic/a.b"));
  EXPECT_FALSE(list.may_read("alice", "/topic/>"));
  EXPECT_FALSE(list.may_write("alice", "/topic/a.b"));
  EXPECT_TRUE(list.may_write("alice", "/queue/jobs"));
  EXPECT_TRUE(list.may_read("", "/topic/public"));
  EXPECT_FALSE(list.may_write("", "/topic/public"));
  EXPECT_FALSE(list.may_read("gone", "/topic/public"));
  const auto before = list.generation();
  rules.users.erase("alice");
  list.replace(rules);
  EXPECT_NE(list.generation(), before);
  EXPECT_FALSE(list.may_read("alice", "/topic/a.b"));
}

}  // namespace
}  // namespace hawser::hub
