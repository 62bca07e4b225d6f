// The sessions by server.
#include <hawser/net/tls/detail/session_cache.hpp>

#include <algorithm>
#include <utility>

namespace hawser::detail {

void SessionCache::put(const std::string& server, OpensslSession session) {
  const std::lock_guard lock(mutex_);
  if (limit_ == 0) return;
  if (!entries_.contains(server)) make_room();
  entries_[server] = {std::move(session), ++age_};
}

void SessionCache::make_room() {
  // A search through a few hundred entries, once for each new server.
  while (entries_.size() >= limit_) {
    entries_.erase(
        std::ranges::min_element(entries_, {}, [](const auto& entry) { return entry.second.age; }));
  }
}

OpensslSession SessionCache::take(const std::string& server) {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(server);
  if (found == entries_.end()) return nullptr;
  SSL_SESSION* const session = found->second.session.get();
  if (SSL_SESSION_is_resumable(session) == 0) {
    entries_.erase(found);
    return nullptr;
  }
  if (SSL_SESSION_get_protocol_version(session) >= TLS1_3_VERSION) {
    OpensslSession taken = std::move(found->second.session);
    entries_.erase(found);
    return taken;
  }
  SSL_SESSION_up_ref(session);
  return OpensslSession(session);
}

void SessionCache::forget(const std::string& server) {
  const std::lock_guard lock(mutex_);
  entries_.erase(server);
}

std::size_t SessionCache::size() const {
  const std::lock_guard lock(mutex_);
  return entries_.size();
}

}  // namespace hawser::detail
