#!/usr/bin/env bash
# Installs the real MCP clients and servers of the interoperability tests, at the pinned versions, beside this
# file: node_modules/ and .venv/. Quick when they are already there.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

need() {
  command -v "$1" >/dev/null || { echo "tests/interop/setup.sh: $1 is missing; install $2 and run this again" >&2; exit 1; }
}
need node "Node.js 20 or newer"
need npm "npm"
need git "git"
need python3 "Python 3.11 or newer with the venv module"
node -e 'process.exit(Number(process.versions.node.split(".")[0]) >= 20 ? 0 : 1)' ||
  { echo "tests/interop/setup.sh: Node.js $(node --version) is too old; install 20 or newer" >&2; exit 1; }
python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
  { echo "tests/interop/setup.sh: $(python3 --version) is too old; install 3.11 or newer" >&2; exit 1; }

digest() { python3 -c 'import hashlib, sys; print(hashlib.sha256(sys.stdin.buffer.read()).hexdigest())'; }

# The conformance suite is a package of its own: it brings a newer Node with it.
for folder in . conformance; do
  stamp="$(cd "$folder" && { cat package.json package-lock.json; node --version; pwd; } | digest)"
  if [[ "$(cat "$folder/node_modules/.stamp" 2>/dev/null)" != "$stamp" ]]; then
    echo "installing Node packages into tests/interop/$folder/node_modules"
    (cd "$folder" && npm ci --no-audit --no-fund --ignore-scripts --loglevel=error)
    echo "$stamp" >"$folder/node_modules/.stamp"
  fi
done

stamp="$({ cat requirements.txt; python3 --version; pwd; } | digest)"
if [[ "$(cat .venv/.stamp 2>/dev/null)" != "$stamp" ]]; then
  echo "installing Python packages into tests/interop/.venv"
  rm -rf .venv
  python3 -m venv .venv
  .venv/bin/pip install --quiet --disable-pip-version-check --no-deps --requirement requirements.txt
  .venv/bin/pip check >/dev/null
  echo "$stamp" >.venv/.stamp
fi

stamp="$({ cat requirements-s3.txt; python3 --version; pwd; } | digest)"
if [[ "$(cat .venv-s3/.stamp 2>/dev/null)" != "$stamp" ]]; then
  echo "installing an S3 service into tests/interop/.venv-s3"
  rm -rf .venv-s3
  python3 -m venv .venv-s3
  # Only what its S3 part needs, so `pip check` would miss the rest.
  .venv-s3/bin/pip install --quiet --disable-pip-version-check --no-deps --requirement requirements-s3.txt
  echo "$stamp" >.venv-s3/.stamp
fi

stamp="$({ cat requirements-presidio.txt; python3 --version; pwd; } | digest)"
if [[ "$(cat .venv-presidio/.stamp 2>/dev/null)" != "$stamp" ]]; then
  echo "installing Presidio's analyzer into tests/interop/.venv-presidio"
  rm -rf .venv-presidio
  python3 -m venv .venv-presidio
  .venv-presidio/bin/pip install --quiet --disable-pip-version-check --no-deps --requirement requirements-presidio.txt
  .venv-presidio/bin/pip check >/dev/null
  echo "$stamp" >.venv-presidio/.stamp
fi
