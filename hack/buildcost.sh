#!/usr/bin/env bash
# Builds programs with an empty build cache and prints, by module, how much CPU time
# compiling and linking took: what a first `make demo` waits for. Its arguments are
# packages, such as ./cmd/vicinity; without any, it builds all programs, which takes about
# a quarter of an hour on two cores. Needs go alone.
set -euo pipefail
cd "$(dirname "$0")/.."
dir=$(mktemp -d)
trap 'GOCACHE="$dir/cache" go clean -cache; rm -r "$dir"' EXIT
go build -o "$dir/gojq" github.com/itchyny/gojq/cmd/gojq
GOCACHE="$dir/cache" go build -debug-actiongraph="$dir/actions.json" -o "$dir/bin/" "${@:-./cmd/...}"
"$dir/gojq" -r '
  def part: split("/") as $p | if ($p[0] | contains(".") | not) then "Go" elif $p[0] == "github.com" then $p[:3] | join("/") else $p[:2] | join("/") end;
  map(select(.Package and (.Mode == "build" or .Mode == "link"))
    | {module: (if .Mode == "link" then "linking" else .Package | part end), cpu: (((.CmdUser // 0) + (.CmdSys // 0)) / 1e9)})
  | (map(.cpu) | add) as $all
  | group_by(.module) | map({module: .[0].module, packages: length, cpu: (map(.cpu) | add)}) | sort_by(-.cpu)
  | (["CPU SECONDS", "SHARE", "PACKAGES", "MODULE"] | @tsv),
    (.[:15][] | [(.cpu | round), "\(.cpu / $all * 100 | round) %", .packages, .module] | @tsv),
    ([($all | round), "100 %", (map(.packages) | add), "all"] | @tsv)' "$dir/actions.json"
