#!/usr/bin/env bash
# What preferred pod affinity by hand makes of a built-in mesh: each workload gets a
# term for each of the three peers that it exchanges most with, weighted by traffic,
# and kube-scheduler places the pods. Needs jq.
#
#	hack/affinity.sh MESH [flags of vicinity replay]
#	hack/affinity.sh mesh:social-network --order random --seeds 10
set -euo pipefail
mesh=$1
shift
vicinity=${VICINITY:-vicinity}
dir=$(mktemp -d)
trap 'rm -r "$dir"' EXIT

"$vicinity" replay "$mesh" --write "$dir" >/dev/null

# The columns of edges.csv are from,to,bytes_per_second,received_bytes_per_second,...
jq --rawfile csv "$dir/edges.csv" '
  ([$csv | split("\n")[1:][] | select(. != "") | split(",")
    | {from: .[0], to: .[1], bytes: ((.[2] | tonumber) + ((.[3] // "0") | tonumber))}
    | select(.from != .to) | {a: .from, b: .to, bytes}, {a: .to, b: .from, bytes}]
   | group_by(.a) | map({key: .[0].a, value: (sort_by(-.bytes) | .[:3])}) | from_entries) as $peers
  | .items |= map(
    if .kind != "Pod" then . else
      "\(.metadata.namespace)/\(.metadata.labels.app)" as $self
      | ($peers[$self] // []) as $terms
      | if $terms == [] then . else
          .spec.affinity.podAffinity.preferredDuringSchedulingIgnoredDuringExecution =
            [$terms[] | {
              weight: ([1, (100 * .bytes / $terms[0].bytes | floor)] | max),
              podAffinityTerm: {
                topologyKey: "kubernetes.io/hostname",
                namespaces: [.b | split("/")[0]],
                labelSelector: {matchLabels: {app: (.b | split("/")[1])}}}}]
        end
    end)' "$dir/cluster.json" >"$dir/affinity.json"

"$vicinity" replay "$dir/edges.csv" --cluster "$dir/affinity.json" "$@"
