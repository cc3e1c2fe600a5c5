#!/usr/bin/env bash
# Starts the release build as a peer of the load rig: makes the token that the rig sends, then serves in the
# foreground. The rig's peers.toml runs this file.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
sealgate=../../target/release/sealgate
mkdir -p ../../target/rig
[ -s ../../target/rig/token ] || "$sealgate" token create --config sealgate.yaml --user rig --role employee -o json |
  python3 -c 'import json, sys; print(json.load(sys.stdin)["token"])' >../../target/rig/token
exec "$sealgate" serve --config sealgate.yaml
