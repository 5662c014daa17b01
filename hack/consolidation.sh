#!/usr/bin/env bash
# What draining nodes does to a placement, on a built-in mesh: the run FIRST places
# the pods in an empty cluster (in random order, seed 1), then vicinity replay drains
# the least used nodes one after the other, and each run places the evicted pods.
# Needs jq.
#
#	hack/consolidation.sh MESH FIRST [flags of vicinity replay]
#	hack/consolidation.sh mesh:social-network latency --seeds 10
set -euo pipefail
mesh=$1 first=$2
shift 2
vicinity=${VICINITY:-vicinity}
dir=$(mktemp -d)
trap 'rm -r "$dir"' EXIT

"$vicinity" replay "$mesh" --write "$dir" >/dev/null
"$vicinity" replay "$mesh" --order random --seeds 1 --run "$first" --write-assignment "$first=$dir/placed.csv" >/dev/null

# Each pod gets one of the nodes that the assignment has for its workload.
jq --rawfile csv "$dir/placed.csv" '
  ([$csv | split("\n")[1:][] | select(. != "") | split(",") | .[0] as $workload | .[1] as $node
    | range(.[2] | tonumber) | {$workload, $node}]
   | group_by(.workload) | map({key: .[0].workload, value: map(.node)}) | from_entries) as $nodes
  | .items |= (
    reduce .[] as $item ({$nodes, items: []};
      if $item.kind != "Pod" then .items += [$item]
      else "\($item.metadata.namespace)/\($item.metadata.labels.app)" as $workload
        | .nodes[$workload][0] as $node
        | .items += [$item | .spec.nodeName = $node
            | .status = {phase: "Running", conditions: [{type: "Ready", status: "True"}]}]
        | .nodes[$workload] |= .[1:]
      end)
    | .items)' "$dir/cluster.json" >"$dir/placed.json"

"$vicinity" replay "$dir/edges.csv" --cluster "$dir/placed.json" --order consolidation "$@"
