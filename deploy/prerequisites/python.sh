#!/usr/bin/env bash
# Makes a virtual environment with the Python packages that the tests with client libraries need, in
# CACHE/python: those of node/tests/browser/python/requirements.txt, wheels only, each with its hash.
# Usage: python.sh [CACHE]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

oldest=3.11
cache=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/vaultara}/python
wanted=node/tests/browser/python/requirements.txt
stamp=$cache/.installed-requirements

cmp -s "$wanted" "$stamp" && "$cache/bin/python" --version >/dev/null 2>&1 && exit 0

version=$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null || echo missing)
if [ "$(printf '%s\n%s\n' "$oldest" "$version" | sort -V | head -n1)" != "$oldest" ] || [ "$version" = missing ]; then
  echo "Python $oldest or newer is needed for the tests with client libraries (this system's is $version)" >&2
  exit 1
fi
echo "installing Python packages for the tests with client libraries" >&2
# Debian's own pip trusts the system's store, others only what they bring; so all shall.
authorities=/etc/ssl/certs/ca-certificates.crt
if [ -z "${PIP_CERT:-}" ] && [ -e "$authorities" ]; then export PIP_CERT=$authorities; fi
mkdir -p "$(dirname "$cache")"
python3 -m venv --clear "$cache"
"$cache/bin/python" -m pip --disable-pip-version-check --no-input --quiet install \
  --require-hashes --only-binary :all: --requirement "$wanted"
# The stamp is written last: an interrupted installation is made again.
cp "$wanted" "$stamp"
