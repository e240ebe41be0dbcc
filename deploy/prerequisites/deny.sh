#!/usr/bin/env bash
# Checks licences, bans and sources with cargo-deny where it is installed, without the network.
# The tidy test checks licences and bans everywhere; cargo-deny adds sources and advisories.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

if ! cargo deny --version >/dev/null 2>&1; then
  echo "cargo-deny: skipped, the tool is not installed (cargo install cargo-deny --locked)"
  exit 0
fi
cargo deny --offline --locked check bans licenses sources
if compgen -G "${CARGO_HOME:-$HOME/.cargo}/advisory-dbs/*" >/dev/null; then
  cargo deny --offline --locked check advisories
else
  echo "cargo-deny: advisories skipped, their database is not on this machine (cargo deny fetch)"
fi
