#!/usr/bin/env bash
# Signs people in with a real browser and real client libraries against `vaultara server --dev`.
#
#   VAULTARA_BIN         a built server; without it the development build is made
#   CHROMIUM_BIN         the browser; without it chromium, chromium-browser or google-chrome from PATH
#   VAULTARA_PYTHON      Python with the packages of python/requirements.txt; without it they are installed
#   VAULTARA_SCREENSHOTS where screenshots go; without it <target>/browser-screenshots
#
# Arguments are passed to node's test runner, for example: ./run.sh --test-name-pattern='wrong password'
# A first argument that ends in .test.mjs runs that file alone.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../../.." && pwd)

for tool in node npm curl; do
  command -v "$tool" >/dev/null || { echo "browser tests: $tool is missing, install it first" >&2; exit 2; }
done

if grep -q '://' "$here/package-lock.json"; then
  echo "browser tests: package-lock.json names a host; write it with 'npm run lock'" >&2
  exit 2
fi

# The stamp is written last: an interrupted installation is made again.
stamp="$here/node_modules/.installed-lock"
if ! cmp -s "$here/package-lock.json" "$stamp"; then
  (cd "$here" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error)
  cp "$here/package-lock.json" "$stamp"
fi

if [ -z "${VAULTARA_PYTHON:-}" ]; then
  cache=${XDG_CACHE_HOME:-$HOME/.cache}/vaultara
  "$root/deploy/prerequisites/python.sh" "$cache"
  VAULTARA_PYTHON=$cache/python/bin/python
fi

target=${CARGO_TARGET_DIR:-$root/target}
case $target in /*) ;; *) target="$root/$target" ;; esac
if [ -z "${VAULTARA_BIN:-}" ]; then
  (cd "$root" && cargo build -p vaultara-node)
  VAULTARA_BIN="$target/debug/vaultara"
fi

export VAULTARA_BIN VAULTARA_PYTHON
export VAULTARA_SCREENSHOTS=${VAULTARA_SCREENSHOTS:-$target/browser-screenshots}
exec node "$here/run.mjs" "$@"
