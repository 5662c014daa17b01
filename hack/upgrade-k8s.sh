#!/usr/bin/env bash
# Sets the version of Kubernetes in go.mod and in that of test/schedperf, which
# builds the same Kubernetes: see usage.
#
# k8s.io/kubernetes requires the modules of its staging directory at v0.0.0 and
# replaces them by that directory, which only holds in its own tree. Whoever
# imports it needs a replace line for each of them. The list changes between
# minors, so it is read from the go.mod of the version itself.
#
# With the version that go.mod has already, nothing may change:
#   hack/upgrade-k8s.sh v1.37.2 && git diff --exit-code
set -euo pipefail

usage() {
  cat <<'EOF'
usage: hack/upgrade-k8s.sh VERSION

Sets k8s.io/kubernetes to VERSION (as v1.37.3) in go.mod and test/schedperf/go.mod,
every module of its staging directory to the version that belongs to it (v0.37.3),
and tidies. When a step fails, go.mod and go.sum are as before.
EOF
}

fail() {
  printf 'upgrade-k8s: %s\n' "$*" >&2
  exit 1
}

if [[ $# -eq 1 && ($1 == -h || $1 == --help) ]]; then
  usage
  exit 0
fi
if [[ $# -ne 1 ]]; then
  usage >&2
  exit 2
fi
version=$1
if [[ ! $version =~ ^v1\.[0-9]+\.[0-9]+(-(alpha|beta|rc)\.[0-9]+)?$ ]]; then
  printf 'upgrade-k8s: %q is not a version of Kubernetes; it looks like v1.37.3\n' "$version" >&2
  exit 2
fi
staging_version=v0${version#v1}

cd "$(dirname "${BASH_SOURCE[0]}")/.."

upstream=$(go list -m -f '{{.GoMod}}' "k8s.io/kubernetes@$version") ||
  fail "there is no k8s.io/kubernetes $version to be had; nothing has changed"
[[ -f $upstream ]] || fail "go list names no go.mod of k8s.io/kubernetes $version"

# Both `require k8s.io/api v0.0.0` and `replace k8s.io/api => ./staging/...` name
# a staging module. Some, the samples, are only replaced.
mapfile -t staging < <(awk '
  { sub(/^(require|replace)[ \t]+/, ""); sub(/^[ \t]+/, "") }
  $1 ~ /^k8s\.io\// && ($2 == "v0.0.0" || ($2 == "=>" && $3 ~ /^\.\/staging\//)) { print $1 }
' "$upstream" | sort -u)
[[ ${#staging[@]} -ge 20 ]] || fail "found ${#staging[@]} staging modules in $upstream, far too few: has its form changed?"
declare -A is_staging=()
for module in "${staging[@]}"; do
  is_staging[$module]=1
done

# The modules of k8s.io in the require or the replace lines of our go.mod. What
# is required at v0.0.0 has that from k8s.io/kubernetes, and go mod tidy keeps it.
ours() {
  awk -v verb="$1" '
    $2 == "(" { block = $1; next }
    $1 == ")" { block = ""; next }
    $1 == "require" || $1 == "replace" { line = $1; sub(/^[a-z]+[ \t]+/, "") }
    (line == verb || block == verb) && $1 ~ /^k8s\.io\// && $2 != "v0.0.0" { print $1 }
    { line = "" }
  ' go.mod
}

edits=("-require=k8s.io/kubernetes@$version")
for module in $(ours require); do
  [[ -z ${is_staging[$module]:-} ]] || edits+=("-require=$module@$staging_version")
done
for module in $(ours replace); do
  [[ -n ${is_staging[$module]:-} ]] || edits+=("-dropreplace=$module")
done
for module in "${staging[@]}"; do
  edits+=("-replace=$module=$module@$staging_version")
done

backup=$(mktemp -d)
done=
finish() {
  if [[ -z $done ]]; then
    cp "$backup/go.mod" "$backup/go.sum" .
    cp "$backup/schedperf/go.mod" "$backup/schedperf/go.sum" test/schedperf/
    printf 'upgrade-k8s: a step failed; go.mod and go.sum are as before\n' >&2
  fi
  rm -r "$backup"
}
mkdir "$backup/schedperf"
cp go.mod go.sum "$backup/"
cp test/schedperf/go.mod test/schedperf/go.sum "$backup/schedperf/"
trap finish EXIT

for module in . test/schedperf; do
  go -C "$module" mod edit "${edits[@]}"
  go -C "$module" mod tidy
done
done=1
printf 'k8s.io/kubernetes %s and %d staging modules at %s; next: make verify test\n' "$version" "${#staging[@]}" "$staging_version"
