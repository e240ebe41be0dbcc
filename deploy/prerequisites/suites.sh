#!/usr/bin/env bash
# Runs every suite in order, stops at the first failure, and prints each one's share of the time.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

names=()
seconds=()
results=()
log=$(mktemp)

report() {
  local status=$? sum=0 i
  for i in "${!names[@]}"; do sum=$((sum + seconds[i])); done
  if [ -s "$log" ]; then
    echo
    echo "slowest test programs:"
    awk '/ Running / { name = $0; sub(/.* Running /, "", name); sub(/ \(.*/, "", name)
           program = $0; sub(/.*\//, "", program); sub(/-[0-9a-f]*\).*/, "", program) }
         / Doc-tests / { name = "doc tests"; program = $NF }
         /finished in [0-9.]+s/ { time = $0; sub(/.*finished in /, "", time); sub(/s.*/, "", time)
           if (time + 0 > 0) printf "  %8.1f s  %s %s\n", time, program, name }' "$log" |
      sort -rn | head -n 12
  fi
  rm -f "$log"
  echo
  printf '  %-42s %8s %6s\n' suite seconds share
  for i in "${!names[@]}"; do
    printf '  %-42s %8d %5d%%  %s\n' "${names[i]}" "${seconds[i]}" \
      "$((sum > 0 ? seconds[i] * 100 / sum : 0))" "${results[i]}"
  done
  printf '  %-42s %8d\n' total "$sum"
  exit "$status"
}
trap report EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

suite() { # name, command…
  local name=$1 before=$SECONDS status=0
  shift
  printf '\n== %s\n' "$name"
  "$@" || status=$?
  names+=("$name")
  seconds+=("$((SECONDS - before))")
  if [ "$status" -eq 0 ]; then
    results+=(ok)
  else
    results+=(FAILED)
    exit 1
  fi
}

# As few builds of the product as there are products: the one that is tested, which also the browser
# meets, and the one with faults at hand, which also plays the program before this one.
programs() {
  cargo test --workspace --exclude vaultara-cluster-tests --no-run --locked &&
    cargo test --package vaultara-cluster-tests --features planted --no-run --locked
}
tests() {
  cargo test --workspace --exclude vaultara-cluster-tests --locked --no-fail-fast 2>&1 | tee "$log"
}
# With the faults at hand that each have to make their test fail; without them nothing else changes.
cluster() {
  cargo test --package vaultara-cluster-tests --features planted --locked --no-fail-fast 2>&1 |
    tee -a "$log"
}

browser() {
  local target=${CARGO_TARGET_DIR:-target}
  VAULTARA_BIN=$(realpath "$target/debug/vaultara") make e2e
}

suite "format" cargo fmt --all --check
suite "lints" cargo clippy --workspace --all-targets --locked -- -D warnings
suite "licences, bans and sources" deploy/prerequisites/deny.sh
suite "compile the test programs" programs
suite "rules, storage, raft, actors, HTTP" tests
suite "whole nodes: kills, faults, refusals, tidy" cluster
suite "browser and client libraries" browser
