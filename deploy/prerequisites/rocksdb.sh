#!/usr/bin/env bash
# Builds RocksDB's static library once per machine, with visible progress.
# Usage: rocksdb.sh [CACHE]            build into CACHE unless it is there already
#        rocksdb.sh --where [CACHE]    print the folder that ROCKSDB_LIB_DIR should name
#
# The sources are those inside the crate librocksdb-sys of Cargo.lock, compiled by its own build script;
# so the library has exactly the flags and features that a plain `cargo build` would use.
# Invariant: the stamp file exists only beside a complete library.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

where=no
if [ "${1:-}" = --where ]; then
  where=yes
  shift
fi
cache=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/vaultara}
version=$(awk '/^name = "librocksdb-sys"$/ { getline; gsub(/"/, "", $3); print $3; exit }' Cargo.lock)
folder=$cache/rocksdb-$version-$(uname -m)
stamp=$folder/complete

if [ "$where" = yes ]; then
  echo "$folder"
  exit 0
fi
if [ -n "${ROCKSDB_LIB_DIR:-}" ] && [ "$ROCKSDB_LIB_DIR" != "$folder" ]; then
  [ -e "$ROCKSDB_LIB_DIR/librocksdb.a" ] || [ -e "$ROCKSDB_LIB_DIR/librocksdb.so" ] && exit 0
  echo "ROCKSDB_LIB_DIR names $ROCKSDB_LIB_DIR, where there is no librocksdb; correct it or unset it" >&2
  exit 1
fi
[ -e "$stamp" ] && exit 0

mkdir -p "$cache"
exec 9>"$cache/rocksdb.lock"
if ! flock --nonblock 9; then
  echo "rocksdb: another build is running on this machine, waiting for it" >&2
  flock 9
  [ -e "$stamp" ] && exit 0
fi

build=$cache/rocksdb-build
log=$build/build.log
mark=$build/started
mkdir -p "$build"
touch "$mark"
unset ROCKSDB_LIB_DIR ROCKSDB_STATIC ROCKSDB_COMPILE
cargo fetch --locked --quiet
sources=$(find "${CARGO_HOME:-$HOME/.cargo}/registry/src" -maxdepth 3 \
  -path "*/librocksdb-sys-$version/rocksdb_lib_sources.txt" 2>/dev/null | head -n1)
total=343
[ -z "$sources" ] || total=$(grep -c . "$sources")

# Both children run in process groups of their own (set -m) and without the lock's descriptor, so that
# whatever ends this script ends the compilers too and releases the lock.
set -m
cargo build --locked --release --package librocksdb-sys --target-dir "$build/target" \
  </dev/null >"$log" 2>&1 9>&- &
builder=$!

watch() {
  local interval=10 done_files started=0 first=0 now rate left
  [ -t 2 ] || interval=30
  while sleep "$interval" && kill -0 "$builder" 2>/dev/null; do
    now=$(date +%s)
    done_files=$(find "$build/target" -path '*/librocksdb-sys-*/out/*' -name '*.o' -newer "$mark" \
      2>/dev/null | wc -l)
    if [ "$done_files" -eq 0 ]; then
      echo "rocksdb: preparing" >&2
      continue
    fi
    if [ "$started" -eq 0 ]; then
      started=$now
      first=$done_files
    fi
    if [ "$done_files" -gt "$first" ]; then
      rate=$(((now - started) * 1000 / (done_files - first)))
      left=$((rate * (total - done_files) / 1000))
      echo "rocksdb: $done_files/$total files, about $(((left + 59) / 60)) min left" >&2
    else
      echo "rocksdb: $done_files/$total files" >&2
    fi
  done
}
watch </dev/null >/dev/null 9>&- &
watcher=$!
set +m

finish() {
  local status=$?
  trap - EXIT INT TERM HUP
  kill -- "-$watcher" 2>/dev/null || true
  if kill -0 "$builder" 2>/dev/null; then
    kill -- "-$builder" 2>/dev/null || true
    echo "rocksdb: stopped before the library was complete; the next build starts it again" >&2
  fi
  exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

echo "rocksdb: building the library once for this machine (10 to 25 minutes on two cores)" >&2
if ! wait "$builder"; then
  tail -n 30 "$log" >&2
  echo "rocksdb: the build failed; the whole log is $log" >&2
  exit 1
fi

library=$(find "$build/target" -path '*/librocksdb-sys-*/out/librocksdb.a' -newer "$mark" | head -n1)
if [ -z "$library" ]; then
  library=$(find "$build/target" -path '*/librocksdb-sys-*/out/librocksdb.a' | head -n1)
fi
if [ -z "$library" ]; then
  echo "rocksdb: the build left no librocksdb.a; the whole log is $log" >&2
  exit 1
fi
mkdir -p "$folder"
cp "$library" "$folder/librocksdb.a.new"
sync "$folder/librocksdb.a.new"
mv "$folder/librocksdb.a.new" "$folder/librocksdb.a"
echo "librocksdb-sys $version" >"$stamp"
rm -rf "$build"
echo "rocksdb: done, $folder" >&2
