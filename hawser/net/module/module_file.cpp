// Reading the file, and as much of the ELF format as it takes to find one symbol in it.
#include <hawser/net/module/module_file.hpp>

#include <elf.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <link.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <optional>
#include <type_traits>
#include <utility>

namespace hawser {
namespace {

using Header = ElfW(Ehdr);
using Section = ElfW(Shdr);
using Segment = ElfW(Phdr);
using Symbol = ElfW(Sym);

constexpr auto own_class = sizeof(void*) == 8 ? ELFCLASS64 : ELFCLASS32;
constexpr auto own_order = std::endian::native == std::endian::little ? ELFDATA2LSB : ELFDATA2MSB;
#if defined(__x86_64__)
constexpr unsigned own_machine = EM_X86_64;
#elif defined(__aarch64__)
constexpr unsigned own_machine = EM_AARCH64;
#else
constexpr unsigned own_machine = EM_NONE;  // not compared: the loader will
#endif

std::unexpected<Error> unusable(std::string detail) {
  return std::unexpected(Error{ErrorKind::invalid_argument, 0, "load module", std::move(detail)});
}

/// An object at any place of the file, copied out; none beyond its end.
template <class T>
std::optional<T> read_at(BytesView file, std::uint64_t offset) {
  static_assert(std::is_trivially_copyable_v<T>);
  if (offset > file.size() || file.size() - offset < sizeof(T)) return std::nullopt;
  T value;
  std::memcpy(&value, file.data() + offset, sizeof(T));
  return value;
}

BytesView slice(BytesView file, std::uint64_t offset, std::uint64_t size) {
  if (offset > file.size() || file.size() - offset < size) return {};
  return file.substr(offset, size);
}

std::string_view name_at(BytesView names, std::uint64_t offset) {
  if (offset >= names.size()) return {};
  const BytesView rest = names.substr(offset);
  return rest.substr(0, rest.find('\0'));
}

/// The table of symbols that the loader sees, with their names.
struct Symbols {
  BytesView entries;
  BytesView names;
};

Symbols find_symbols(BytesView file, const Header& header) {
  for (unsigned i = 0; i < header.e_shnum; ++i) {
    const auto section = read_at<Section>(file, header.e_shoff + i * sizeof(Section));
    if (!section) break;
    if (section->sh_type != SHT_DYNSYM || section->sh_link >= header.e_shnum) continue;
    const auto names = read_at<Section>(file, header.e_shoff + section->sh_link * sizeof(Section));
    if (!names) break;
    return {slice(file, section->sh_offset, section->sh_size),
            slice(file, names->sh_offset, names->sh_size)};
  }
  return {};
}

/// Where in the file that lies which the loader puts at `address`.
std::optional<std::uint64_t> file_offset(BytesView file, const Header& header,
                                         std::uint64_t address) {
  for (unsigned i = 0; i < header.e_phnum; ++i) {
    const auto segment = read_at<Segment>(file, header.e_phoff + i * sizeof(Segment));
    if (!segment) break;
    if (segment->p_type == PT_LOAD && address >= segment->p_vaddr &&
        address - segment->p_vaddr < segment->p_filesz)
      return segment->p_offset + (address - segment->p_vaddr);
  }
  return std::nullopt;
}

FileIdentity identity_of(const struct stat& status) noexcept {
  return {status.st_dev, status.st_ino, static_cast<std::uint64_t>(status.st_size),
          std::int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec};
}

class Descriptor {
 public:
  explicit Descriptor(int number) noexcept : number_(number) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  int operator*() const noexcept { return number_; }

 private:
  int number_;
};

}  // namespace

Result<ModuleStamp> check_module(BytesView file) {
  const auto header = read_at<Header>(file, 0);
  if (!header || std::memcmp(header->e_ident, ELFMAG, SELFMAG) != 0)
    return unusable("it is no shared object (no ELF file)");
  if (header->e_ident[EI_CLASS] != own_class || header->e_ident[EI_DATA] != own_order ||
      (own_machine != EM_NONE && header->e_machine != own_machine))
    return unusable("it is for another kind of machine");
  if (header->e_type != ET_DYN) return unusable("it is no shared object; link it with -shared");
  if (header->e_shentsize != sizeof(Section) || header->e_phentsize != sizeof(Segment))
    return unusable("it is no shared object that the loader would take (odd header)");

  const Symbols symbols = find_symbols(file, *header);
  std::optional<ModuleStamp> stamp;
  bool has_table = false;
  std::string_view unique;
  for (std::size_t at = 0; at < symbols.entries.size(); at += sizeof(Symbol)) {
    const auto symbol = read_at<Symbol>(symbols.entries, at);
    if (!symbol) break;
    if (symbol->st_shndx == SHN_UNDEF) continue;
    const std::string_view name = name_at(symbols.names, symbol->st_name);
    if (symbol->st_info >> 4U == STB_GNU_UNIQUE) unique = name;
    if (name == "hawser_handler_module") has_table = true;
    if (name != "hawser_handler_stamp" || symbol->st_size != sizeof(ModuleStamp)) continue;
    if (const auto offset = file_offset(file, *header, symbol->st_value))
      stamp = read_at<ModuleStamp>(file, *offset);
  }
  if (!stamp || !has_table || stamp->magic != ModuleStamp::expected_magic ||
      stamp->handler.back() != '\0' || stamp->abi.back() != '\0')
    return unusable("no handler is exported from it; HAWSER_EXPORT_HANDLER(Type, version) does it");
  static constexpr auto own_abi = module_abi();
  if (stamp->abi != own_abi)
    return std::unexpected(Error{
        ErrorKind::unsupported, 0, "load module",
        fmt::format("it was compiled for '{}', and this program is '{}'; compile it with this "
                    "program's headers and compiler",
                    stamp->abi.data(), own_abi.data())});
  if (!unique.empty())
    return unusable(
        fmt::format("it has symbols that the loader shares between versions and never unloads "
                    "(such as {}); compile it with -fvisibility=hidden -fno-gnu-unique",
                    unique));
  return *stamp;
}

Result<FileIdentity> identify_file(const std::string& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0)
    return std::unexpected(system_error(errno, "load module", path));
  return identity_of(status);
}

Result<ModuleFile> read_module_file(const std::string& path, std::size_t size_limit) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat before{};
  if (*file < 0 || ::fstat(*file, &before) != 0)
    return std::unexpected(system_error(errno, "load module", path));
  ModuleFile read;
  read.identity = identity_of(before);
  if (!S_ISREG(before.st_mode)) return unusable(fmt::format("{} is no file", path));
  if (read.identity.size > size_limit)
    return std::unexpected(Error{ErrorKind::overloaded, 0, "load module",
                                 fmt::format("{} has {} bytes, more than size_limit ({})", path,
                                             read.identity.size, size_limit)});
  read.bytes.resize(read.identity.size);
  std::size_t done = 0;
  while (done < read.bytes.size()) {
    const ssize_t got = ::pread(*file, read.bytes.data() + done, read.bytes.size() - done,
                                static_cast<off_t>(done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return std::unexpected(system_error(errno, "load module", path));
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  struct stat after{};
  if (done != read.bytes.size() || ::fstat(*file, &after) != 0 ||
      identity_of(after) != read.identity)
    return std::unexpected(Error{ErrorKind::failed, 0, "load module",
                                 fmt::format("{} was written to while it was read", path)});
  auto stamp = check_module(read.bytes);
  if (!stamp) {
    stamp.error().detail = path + ": " + stamp.error().detail;
    return std::unexpected(std::move(stamp.error()));
  }
  read.stamp = *stamp;
  return read;
}

}  // namespace hawser
