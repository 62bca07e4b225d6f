#!/usr/bin/env bash
# What hawser needs from Debian 12, by purpose: the one list. `run`, `test` and `.ci/run` source it;
# run by hand it installs: scripts/packages.sh build test
# Why each library is there stands in docs/dependencies.md.

packages_build=(g++ cmake ninja-build pkg-config ccache mold
                liburing-dev libfmt-dev libspdlog-dev libcli11-dev libtomlplusplus-dev
                nlohmann-json3-dev libssl-dev libwslay-dev zlib1g-dev libboost1.81-dev prometheus-cpp-dev
                libncurses-dev libsqlite3-dev)
packages_test=(python3 libgtest-dev libgmock-dev librapidcheck-dev)
packages_lint=(python3 clang-format-19 clang-tidy-19)
packages_format=(python3 clang-format-19)
packages_clang=(clang-19 libclang-rt-19-dev llvm-19)  # tsan and fuzz; llvm-19 has the symbolizer
packages_interop=(python3 python3-stomp python3-websockets erlang-base erlang-ssl openssl curl socat haproxy
                  node-ws rabbitmq-server activemq)
# Node from elsewhere brings an npm of its own, and Debian's does not fit it.
command -v npm >/dev/null || packages_interop+=(npm)
packages_bench=(libbenchmark-dev)
packages_compare=(libasio-dev libuv1-dev erlang-base)  # what the benchmarks are compared with

package_installed() {
  [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# missing_packages PURPOSE...: the packages for these purposes that are not there, one a line.
missing_packages() {
  local purpose list package
  for purpose in "$@"; do
    list="packages_$purpose[@]"
    for package in "${!list}"; do
      package_installed "$package" || echo "$package"
    done
  done | sort -u
}

# without_services PACKAGE... -- COMMAND...: runs it (apt) by $as_root so that no service of these new
# packages is started, now or after a boot: tests start their own. What the machine had before is left
# as it is; so is a policy of its own.
without_services() {
  local policy=/usr/sbin/policy-rc.d package names=() status=0
  for package in "$@"; do
    case "$package" in
      --) break ;;
      rabbitmq-server|activemq|haproxy) names+=("$package") ;;
      erlang-base) names+=(epmd) ;;
    esac
  done
  while [ "$1" != -- ]; do shift; done
  shift
  (
    if [ ${#names[@]} -gt 0 ] && [ ! -e "$policy" ]; then
      trap '"${as_root[@]}" rm -f "$policy"' EXIT
      printf '%s\n' '#!/bin/sh' "# By hawser's scripts/packages.sh, only while it installs." 'case "$1" in' \
        "$(printf '%s|%s.* ' "${names[@]}" "${names[@]}" | sed 's/ $//; s/ /|/g')) exit 101 ;;" 'esac' |
        "${as_root[@]}" sh -c "cat >$policy && chmod 755 $policy"
    fi
    "${as_root[@]}" "$@"
  ) || status=$?
  if [ ${#names[@]} -gt 0 ] && [ -d /run/systemd/system ]; then
    "${as_root[@]}" systemctl disable --now "${names[@]}" >&2 || true
  fi
  return "$status"
}

# install_packages PURPOSE...: asks apt only for what is missing, and says so on stderr.
install_packages() {
  local missing as_root=()
  if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    echo "hawser: no apt here; needed are the packages in scripts/packages.sh ($*)." >&2
    return 0  # another distribution may have them all: the build will tell
  fi
  mapfile -t missing < <(missing_packages "$@")
  [ ${#missing[@]} -eq 0 ] && return 0
  if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
      echo "hawser: neither root nor sudo; install these and start again: ${missing[*]}" >&2
      return 1
    fi
    as_root=(sudo)
  fi
  echo "hawser: installing ${missing[*]}" >&2
  # Another apt may hold the lock on a machine that just booted: wait for it.
  "${as_root[@]}" apt-get -qq -o DPkg::Lock::Timeout=300 update >&2 &&
    without_services "${missing[@]}" -- env DEBIAN_FRONTEND=noninteractive apt-get -qq -y \
      --no-install-recommends -o DPkg::Lock::Timeout=300 install "${missing[@]}" >&2 </dev/null
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
  set -euo pipefail
  for purpose in "$@"; do
    declare -p "packages_$purpose" >/dev/null 2>&1 || { echo "no such purpose: $purpose" >&2; exit 2; }
  done
  install_packages "${@:-build}"
fi
