// The BIO. It never has to wait for room, since a send queue takes all; when there is nothing to
// read it says so.
#include <hawser/net/tls/detail/openssl.hpp>
#include <hawser/net/tls/detail/tls_side.hpp>

namespace hawser::detail {

namespace {

int write_below(BIO* bio, const char* bytes, std::size_t size, std::size_t* written) {
  auto& side = *static_cast<TlsSide*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  // Nothing can be sent any more: the connection is about to hear of it; here it is no error.
  if (SendQueue* below = side.link->below()) {
    below->append(BytesView(bytes, size));
    side.wrote = true;
  }
  *written = size;
  return 1;
}

int read_input(BIO* bio, char* bytes, std::size_t size, std::size_t* read) {
  auto& side = *static_cast<TlsSide*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  if (side.input.empty()) {
    BIO_set_retry_read(bio);
    *read = 0;
    return 0;
  }
  *read = side.input.copy(bytes, size);
  side.input.remove_prefix(*read);
  return 1;
}

long control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

int create(BIO* bio) {
  BIO_set_init(bio, 1);
  return 1;
}

}  // namespace

bio_method_st* make_bio_method() {
  // No index of its own: OpenSSL has a hundred of them for a program's whole life.
  BIO_METHOD* const method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "hawser link");
  BIO_meth_set_write_ex(method, write_below);
  BIO_meth_set_read_ex(method, read_input);
  BIO_meth_set_ctrl(method, control);
  BIO_meth_set_create(method, create);
  return method;
}

bio_st* make_bio(const bio_method_st* method, TlsSide& side) {
  BIO* const bio = BIO_new(method);
  if (bio != nullptr) BIO_set_data(bio, &side);
  return bio;
}

TlsSide& side_of(const ssl_st* ssl) { return *static_cast<TlsSide*>(SSL_get_app_data(ssl)); }

}  // namespace hawser::detail
