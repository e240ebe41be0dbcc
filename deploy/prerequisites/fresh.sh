#!/usr/bin/env bash
# A clean machine in a folder: `make run` and `make test` of the committed tree on a new Debian bookworm.
# Needs root. The Rust toolchain of this machine is mounted read-only; so is ROCKSDB_LIB_DIR if it is set.
#   FRESH_MIRROR   Debian mirror        FRESH_DIR    parent of the folder (default /var/tmp)
#   FRESH_RUN_S    how long `make run` may take until /health answers (default 5400)
#
# Everything is mounted inside a mount and process namespace of its own: when this script ends, however
# it ends, the kernel unmounts the folder and kills what ran in it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

health() { # succeeds once GET /health answers 200
  local line
  { exec 3<>/dev/tcp/127.0.0.1/8080; } 2>/dev/null || return 1
  printf 'GET /health HTTP/1.1\r\nHost: localhost:8080\r\nConnection: close\r\n\r\n' >&3
  IFS= read -r -t 5 line <&3 || line=
  exec 3<&- 3>&-
  [[ $line == "HTTP/1.1 200"* ]]
}

enter() { # command… inside the folder
  local variable pass=()
  for variable in http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY; do
    [ -z "${!variable:-}" ] || pass+=("$variable=${!variable}")
  done
  [ -z "${ROCKSDB_LIB_DIR:-}" ] || pass+=(ROCKSDB_LIB_DIR=/opt/rocksdb)
  env -i HOME=/srv/home LANG=C.UTF-8 TERM="${TERM:-dumb}" \
    PATH=/opt/rust/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "${pass[@]}" \
    chroot "$root" /bin/bash -c "cd /srv/vaultara && $1"
}

server_pid() { # of the one process of that name in this process namespace
  local comm
  for comm in /proc/[0-9]*/comm; do
    if [ "$(cat "$comm" 2>/dev/null)" = vaultara ]; then
      comm=${comm#/proc/}
      echo "${comm%/comm}"
      return 0
    fi
  done
  return 1
}

inside() {
  mount -t proc proc /proc
  mount -t proc proc "$root/proc"
  mount --rbind /sys "$root/sys"
  mount --rbind /dev "$root/dev"
  mkdir -p "$root/opt/rust" "$root/opt/rocksdb"
  mount --bind "$toolchain" "$root/opt/rust"
  mount -o remount,ro,bind "$root/opt/rust"
  if [ -n "${ROCKSDB_LIB_DIR:-}" ]; then
    mount --bind "$ROCKSDB_LIB_DIR" "$root/opt/rocksdb"
    mount -o remount,ro,bind "$root/opt/rocksdb"
  fi

  echo "fresh: make run"
  enter "exec make run" &
  local run=$! waited=0 server status=0
  until health; do
    if ! kill -0 "$run" 2>/dev/null; then
      wait "$run" || true
      echo "fresh: 'make run' ended before /health answered" >&2
      return 1
    fi
    if [ "$waited" -ge "${FRESH_RUN_S:-5400}" ]; then
      echo "fresh: /health did not answer within ${FRESH_RUN_S:-5400} s" >&2
      return 1
    fi
    sleep 2
    waited=$((waited + 2))
  done
  echo "fresh: /health answers after about $waited s; sending SIGINT"
  server=$(server_pid)
  kill -INT "$server"
  wait "$run" || status=$?
  if [ "$status" -ne 0 ]; then
    echo "fresh: the server did not end cleanly (make run: exit $status)" >&2
    return 1
  fi

  echo "fresh: make test"
  enter "exec make test"
  echo "fresh: both commands pass on a clean Debian bookworm"
}

if [ "${1:-}" = --inside ]; then
  root=$2
  toolchain=$3
  inside
  exit
fi

if [ "$(id -u)" -ne 0 ]; then
  echo "fresh: needs root (mounts and chroot)" >&2
  exit 1
fi
if { exec 3<>/dev/tcp/127.0.0.1/8080; } 2>/dev/null; then
  exec 3<&-
  echo "fresh: port 8080 is in use on this machine; stop what listens there" >&2
  exit 1
fi
git rev-parse --verify --quiet HEAD >/dev/null || {
  echo "fresh: nothing is committed yet" >&2
  exit 1
}
deploy/prerequisites/system.sh fresh
deploy/prerequisites/rust.sh
# The makefile always sets ROCKSDB_LIB_DIR; only a folder that holds the library is worth mounting.
[ -e "${ROCKSDB_LIB_DIR:-}/librocksdb.a" ] || unset ROCKSDB_LIB_DIR

toolchain=$(rustc --print sysroot)
parent=${FRESH_DIR:-/var/tmp}
root=$(mktemp -d "$parent/vaultara-fresh.XXXXXX")
chmod 755 "$root"
inner=
clean() { # killing the first process of the namespace ends everything in it and undoes its mounts
  if [ -n "$inner" ]; then
    kill -KILL "$inner" 2>/dev/null || true
    wait "$inner" 2>/dev/null || true
  fi
  rm -rf --one-file-system "$root" "$root.log" || { sleep 1 && rm -rf --one-file-system "$root"; }
}
trap clean EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

mirror=${FRESH_MIRROR:-http://deb.debian.org/debian}
echo "fresh: a clean Debian bookworm in $root"
debootstrap --variant=minbase --include=make,ca-certificates bookworm "$root" "$mirror" >"$root.log" ||
  { tail -n 20 "$root.log" >&2; exit 1; }

# The way to the network is this machine's.
cp --dereference /etc/resolv.conf /etc/hosts "$root/etc/"
if compgen -G '/usr/local/share/ca-certificates/*' >/dev/null; then
  cp -r /usr/local/share/ca-certificates/. "$root/usr/local/share/ca-certificates/"
  chroot "$root" update-ca-certificates >/dev/null
fi
[ ! -e /etc/pip.conf ] || cp --dereference /etc/pip.conf "$root/etc/"
for settings in .cargo/config.toml .npmrc .config/pip/pip.conf; do
  [ -e "$HOME/$settings" ] || continue
  mkdir -p "$root/srv/home/$(dirname "$settings")"
  cp "$HOME/$settings" "$root/srv/home/$settings"
done

mkdir -p "$root/srv/vaultara"
git archive HEAD | tar -x -C "$root/srv/vaultara"
unshare --mount --pid --fork --kill-child "$0" --inside "$root" "$toolchain" &
inner=$!
wait "$inner"
inner=
