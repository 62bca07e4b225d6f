// The table of malformed frames.
#include "malformed.hpp"

namespace hawser::soak {
namespace {

std::string nul(std::string text) {
  text.push_back('\0');
  return text;
}

std::string many_headers(int count) {
  std::string text = "SEND\ndestination:/topic/a\n";
  for (int i = 0; i < count; ++i) text += "h" + std::to_string(i) + ":v\n";
  return nul(text + "\n");
}

std::vector<Malformed> make() {
  const std::string to = "SEND\ndestination:/topic/a\n";
  const std::string login = "CONNECT\naccept-version:1.2\nhost:hub\n";
  return {
      {"not_stomp_at_all", "GET / HTTP/1.1\r\nHost: hub\r\n\r\n", false,
       "malformed frame: unknown_command"},
      {"binary_noise", std::string("\x16\x03\x01\x02\x00\x01\x00", 7), false, "malformed frame"},
      {"command_without_end", std::string(40, 'S'), false, "malformed frame: command_too_long"},
      {"lower_case_command", nul("connect\naccept-version:1.2\nhost:hub\n\n"), false,
       "malformed frame: unknown_command"},
      {"unknown_command", nul("PUBLISH\ndestination:/topic/a\n\n"), true,
       "malformed frame: unknown_command"},
      {"nul_in_head", nul("SEND\ndesti"), true, "malformed frame: nul_in_head"},
      {"header_without_colon", nul("SEND\ndestination\n\n"), true,
       "malformed frame: header_without_colon"},
      {"empty_header_name", nul(to + ":x\n\n"), true, "malformed frame: empty_header_name"},
      {"undefined_escape", nul(to + "a:b\\tc\n\n"), true, "malformed frame: undefined_escape"},
      {"half_an_escape", nul(to + "a:b\\\n\n"), true, "malformed frame: undefined_escape"},
      {"too_many_headers", many_headers(20), true, "malformed frame: too_many_headers"},
      {"header_line_too_long", nul(to + "a:" + std::string(400, 'x') + "\n\n"), true,
       "malformed frame: header_line_too_long"},
      {"header_line_without_end", to + "a:" + std::string(400, 'x'), true,
       "malformed frame: header_line_too_long"},
      {"header_block_too_long",
       nul(to + "a:" + std::string(250, 'x') + "\nb:" + std::string(250, 'x') +
           "\nc:" + std::string(250, 'x') + "\n\n"),
       true, "malformed frame: header_block_too_long"},
      {"content_length_negative", nul(to + "content-length:-1\n\nabc"), true,
       "malformed frame: bad_content_length"},
      {"content_length_words", nul(to + "content-length:three\n\nabc"), true,
       "malformed frame: bad_content_length"},
      {"content_length_huge", nul(to + "content-length:99999999999999999999\n\nabc"), true,
       "malformed frame: bad_content_length"},
      {"body_announced_too_long", nul(to + "content-length:2001\n\nabc"), true,
       "malformed frame: body_too_long"},
      {"body_too_long", nul(to + "\n" + std::string(2001, 'x')), true,
       "malformed frame: body_too_long"},
      {"body_without_end", to + "\n" + std::string(2500, 'x'), true,
       "malformed frame: body_too_long"},
      {"content_length_too_short", nul(to + "content-length:2\n\nabc"), true,
       "malformed frame: body_not_terminated"},
      {"pre_login_frame_too_long",
       nul(login + "a:" + std::string(290, 'x') + "\nb:" + std::string(290, 'x') + "\n\n"), false,
       "malformed frame"},

      {"send_before_connect", nul(to + "receipt:r1\n\nx"), false, "not connected", "r1"},
      {"connected_from_a_client", nul("CONNECTED\nversion:1.2\n\n"), false, "not connected"},
      {"connect_twice", nul(login + "\n"), true, "already connected"},
      {"no_common_version", nul("CONNECT\naccept-version:2.0,3.1\nhost:hub\n\n"), false,
       "no common version"},
      {"heart_beat_words", nul("CONNECT\naccept-version:1.2\nhost:hub\nheart-beat:often\n\n"),
       false, "malformed heart-beat"},
      {"heart_beat_negative", nul("CONNECT\naccept-version:1.2\nhost:hub\nheart-beat:-1,0\n\n"),
       false, "malformed heart-beat"},
      {"heart_beat_one_number", nul("CONNECT\naccept-version:1.2\nhost:hub\nheart-beat:1000\n\n"),
       false, "malformed heart-beat"},

      {"send_without_destination", nul("SEND\nreceipt:r2\n\nx"), true, "missing destination", "r2"},
      {"send_to_nowhere", nul("SEND\ndestination:elsewhere\nreceipt:r3\n\nx"), true,
       "unknown destination", "r3"},
      {"send_to_an_empty_name", nul("SEND\ndestination:/topic/\n\nx"), true, "unknown destination"},
      {"destination_too_long", nul("SEND\ndestination:/topic/" + std::string(60, 'd') + "\n\nx"),
       true, "destination too long"},
      {"receipt_too_long", nul(to + "receipt:" + std::string(60, 'r') + "\n\nx"), true,
       "receipt too long"},
      {"subscribe_without_destination", nul("SUBSCRIBE\nid:1\n\n"), true, "missing destination"},
      {"subscribe_without_id", nul("SUBSCRIBE\ndestination:/topic/a\nreceipt:r4\n\n"), true,
       "SUBSCRIBE without id", "r4"},
      {"subscription_id_too_long",
       nul("SUBSCRIBE\ndestination:/topic/a\nid:" + std::string(60, 'i') + "\n\n"), true,
       "subscription id too long"},
      {"subscribe_twice",
       nul("SUBSCRIBE\ndestination:/topic/a\nid:1\n\n") +
           nul("SUBSCRIBE\ndestination:/topic/b\nid:1\nreceipt:r5\n\n"),
       true, "subscription exists", "r5"},
      {"too_many_subscriptions",
       nul("SUBSCRIBE\ndestination:/topic/a\nid:1\n\n") +
           nul("SUBSCRIBE\ndestination:/topic/a\nid:2\n\n") +
           nul("SUBSCRIBE\ndestination:/topic/a\nid:3\n\n"),
       true, "too many subscriptions"},
      {"unsubscribe_without_id", nul("UNSUBSCRIBE\n\n"), true, "UNSUBSCRIBE without id"},
      {"unsubscribe_unknown", nul("UNSUBSCRIBE\nid:9\nreceipt:r6\n\n"), true,
       "no such subscription", "r6"},
      {"ack_mode_unknown", nul("SUBSCRIBE\ndestination:/topic/a\nid:1\nack:foo\n\n"), true,
       "unknown ack mode"},
      {"ack_without_id", nul("ACK\nreceipt:r7\n\n"), true, "ACK without id", "r7"},
      {"ack_of_nothing", nul("ACK\nid:1\nreceipt:r8\n\n"), true, "nothing to acknowledge", "r8"},
      {"nack_of_nothing", nul("NACK\nid:1-2-3\n\n"), true, "nothing to acknowledge"},
      {"commit_of_nothing", nul("COMMIT\ntransaction:t\nreceipt:r9\n\n"), true,
       "no such transaction", "r9"},
      {"send_in_no_transaction", nul(to + "transaction:t\n\nx"), true, "no such transaction"},
      {"begin_twice", nul("BEGIN\ntransaction:t\n\n") + nul("BEGIN\ntransaction:t\n\n"), true,
       "transaction exists"},
      {"priority_words", nul(to + "priority:high\n\nx"), true, "malformed priority header"},
      {"selector_without_end", nul("SUBSCRIBE\ndestination:/topic/a\nid:1\nselector:a = 'b\n\n"),
       true, "malformed selector"},
      {"send_to_a_pattern", nul("SEND\ndestination:/topic/a.>\n\nx"), true, "unknown destination"},
      {"message_from_a_client",
       nul("MESSAGE\ndestination:/topic/a\nmessage-id:1\nsubscription:1\n\nx"), true,
       "MESSAGE is not understood"},
      {"receipt_from_a_client", nul("RECEIPT\nreceipt-id:1\n\n"), true,
       "RECEIPT is not understood"},
      {"error_from_a_client", nul("ERROR\nmessage:no\n\n"), true, "ERROR is not understood"},
  };
}

}  // namespace

const std::vector<Malformed>& malformed_frames() {
  static const std::vector<Malformed> all = make();
  return all;
}

}  // namespace hawser::soak
