// A private copy in memory, the loader, and what it answers.
#include <hawser/net/module/loaded_module.hpp>

#include <dlfcn.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <optional>

namespace hawser {
namespace {

/// The loader takes two objects of one name for the same one, so each copy needs a name of its own
/// as long as it is loaded: its open descriptor's number is one.
std::string loader_name(int copy) { return fmt::format("/proc/self/fd/{}", copy); }

std::string last_word_of_loader() {
  const char* text = ::dlerror();
  return text == nullptr ? "the loader does not say why" : text;
}

Result<int> copy_to_memory(const ModuleFile& file, const std::string& path) {
  const std::string name = fmt::format(
      "hawser-module-{}-v{}", path.substr(path.rfind('/') + 1).substr(0, 200), file.stamp.version);
  const int copy = ::memfd_create(name.c_str(), MFD_CLOEXEC);
  if (copy < 0) return std::unexpected(system_error(errno, "load module", "memfd_create"));
  std::size_t done = 0;
  while (done < file.bytes.size()) {
    const ssize_t put = ::write(copy, file.bytes.data() + done, file.bytes.size() - done);
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) {
      auto error = system_error(errno, "load module", "copying it to memory");
      ::close(copy);
      return std::unexpected(std::move(error));
    }
    done += static_cast<std::size_t>(put);
  }
  return copy;
}

}  // namespace

Result<std::shared_ptr<LoadedModule>> LoadedModule::load(const ModuleFile& file,
                                                         const std::string& path) {
  auto copy = copy_to_memory(file, path);
  if (!copy) return std::unexpected(std::move(copy.error()));
  // allocation: the constructor is private, so that each was loaded
  std::shared_ptr<LoadedModule> module(new LoadedModule);
  module->copy_ = *copy;
  module->version_ = file.stamp.version;
  module->handler_ = file.handler();
  module->identity_ = file.identity;
  // NOW: a function that this program does not have is an error here, not a crash later. LOCAL: two
  // versions must not see each other's symbols.
  const std::string name = loader_name(*copy);
  module->handle_ = ::dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
  const auto fail = [&](std::string why) {
    // The loader calls it by the copy's name, which means nothing to anybody.
    if (const auto at = why.find(name); at != std::string::npos) why.replace(at, name.size(), path);
    module->unload();
    return std::unexpected(Error{ErrorKind::failed, 0, "load module", std::move(why)});
  };
  if (module->handle_ == nullptr) return fail(last_word_of_loader());
  module->code_ =
      static_cast<const HandlerModule*>(::dlsym(module->handle_, "hawser_handler_module"));
  if (module->code_ == nullptr) return fail(last_word_of_loader());
  dl_find_object found{};
  if (::_dl_find_object(const_cast<HandlerModule*>(module->code_), &found) != 0)
    return fail("the loader does not know where it has put it");
  module->begin_ = reinterpret_cast<std::uintptr_t>(found.dlfo_map_start);
  module->end_ = reinterpret_cast<std::uintptr_t>(found.dlfo_map_end);
  // What says which version a message is for must be this version's own.
  if (!module->contains(module->code_->type))
    return fail(path +
                ": its handler's type is not its own; compile it with -fvisibility=hidden "
                "-fno-gnu-unique");
  return module;
}

LoadedModule::~LoadedModule() {
  if (handle_ == nullptr && copy_ >= 0) ::close(copy_);
}

std::string LoadedModule::text() const { return fmt::format("{}, version {}", handler_, version_); }

bool LoadedModule::contains(const void* address) const noexcept {
  const auto at = reinterpret_cast<std::uintptr_t>(address);
  return at >= begin_ && at < end_;
}

bool LoadedModule::unload() noexcept {
  if (handle_ == nullptr) return true;
  const std::string name = loader_name(copy_);
  ::dlclose(handle_);
  if (void* still = ::dlopen(name.c_str(), RTLD_NOLOAD | RTLD_LAZY); still != nullptr) {
    ::dlclose(still);
    return false;  // the descriptor stays open: another must not get the number
  }
  handle_ = nullptr;
  return true;
}

}  // namespace hawser
