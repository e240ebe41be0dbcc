#!/usr/bin/env bash
# Makes sure that cargo runs in this folder with the pinned toolchain; installs rustup if cargo is absent.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

oldest=$(sed -n 's/^rust-version = "\([0-9.]*\)"$/\1/p' Cargo.toml)
pinned=$(sed -n 's/^channel = "\([0-9.]*\)"$/\1/p' rust-toolchain.toml)
export PATH="$PATH:${CARGO_HOME:-$HOME/.cargo}/bin"

if ! command -v cargo >/dev/null 2>&1; then
  echo "installing the Rust toolchain $pinned through rustup" >&2
  curl --proto '=https' --tlsv1.2 --silent --show-error --fail https://sh.rustup.rs |
    sh -s -- -y --quiet --no-modify-path --profile minimal --default-toolchain none
fi
if command -v rustup >/dev/null 2>&1 && ! rustup which rustc >/dev/null 2>&1; then
  echo "installing the Rust toolchain $pinned" >&2
  rustup toolchain install --no-self-update --profile minimal --component rustfmt,clippy "$pinned"
fi

version=$(cargo --version | cut -d' ' -f2)
if [ "$(printf '%s\n%s\n' "$oldest" "$version" | sort -V | head -n1)" != "$oldest" ]; then
  echo "cargo $version is too old: Rust $oldest or newer is needed (https://rustup.rs)" >&2
  exit 1
fi
