#!/usr/bin/env bash
# Installs missing Debian packages where it may (root, or sudo without a password);
# otherwise says in one line which ones are missing. Usage: system.sh build|cluster|test|soak|fresh
set -euo pipefail

missing=()
has() { command -v "$1" >/dev/null 2>&1; }
need() { # package, then the commands of which one is enough
  local package=$1 command
  shift
  for command in "$@"; do if has "$command"; then return 0; fi; done
  missing+=("$package")
}
has_libclang() {
  [ -n "${LIBCLANG_PATH:-}" ] && return 0
  compgen -G '/usr/lib/llvm-*/lib/libclang*.so*' >/dev/null ||
    compgen -G '/usr/lib/*/libclang*.so*' >/dev/null ||
    compgen -G '/usr/lib*/libclang*.so*' >/dev/null
}

case "${1:-}" in
build)
  has cc && has c++ || missing+=(build-essential)
  has clang && has clang++ || missing+=(clang)
  has_libclang || missing+=(libclang-dev)
  [ -e /etc/ssl/certs/ca-certificates.crt ] || [ -e /etc/pki/tls/certs/ca-bundle.crt ] ||
    missing+=(ca-certificates)
  has cargo || need curl curl
  ;;
cluster)
  need haproxy haproxy
  need curl curl
  ;;
test)
  need chromium chromium chromium-browser google-chrome google-chrome-stable
  need nodejs node
  need npm npm
  need curl curl
  need strace strace
  need nftables nft
  need iproute2 ip
  need haproxy haproxy
  need faketime faketime
  python3 -c 'import ensurepip, venv' >/dev/null 2>&1 || missing+=(python3-venv)
  ;;
soak)
  need xfsprogs mkfs.xfs
  need strace strace
  need nftables nft
  need iproute2 ip
  need haproxy haproxy
  ;;
fresh)
  need debootstrap debootstrap
  ;;
*)
  echo "usage: system.sh build|cluster|test|soak|fresh" >&2
  exit 2
  ;;
esac
[ ${#missing[@]} -eq 0 ] && exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  if has sudo && sudo -n true 2>/dev/null; then as_root=(sudo -n); else as_root=(refused); fi
fi
if ! has apt-get || [ "${as_root[*]:-}" = refused ]; then
  echo "missing packages (Debian names): ${missing[*]}; install them, for example with: sudo apt-get install -y ${missing[*]}" >&2
  exit 1
fi

echo "installing: ${missing[*]}" >&2
log=$(mktemp)
trap 'rm -f "$log"' EXIT
apt() {
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get -q -y -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 "$@" >"$log" 2>&1
}
apt update || echo "apt-get update failed; trying with the package lists at hand" >&2
if ! apt install --no-install-recommends "${missing[@]}"; then
  tail -n 20 "$log" >&2
  echo "could not install: ${missing[*]}" >&2
  exit 1
fi
