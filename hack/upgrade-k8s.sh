#!/usr/bin/env bash
# Sets the version of Kubernetes in go.mod and in those of test/schedperf, which
# builds the same Kubernetes, and hack/helm, which builds its client: see usage.
#
# k8s.io/kubernetes requires the modules of its staging directory at v0.0.0 and
# replaces them by that directory, which only holds in its own tree. Whoever
# imports it has to name the real version of each. go.mod does that with require
# lines: with a replace line, "go install ...@VERSION" would refuse the module.
# test/schedperf, which nobody installs, has replace lines. The list changes
# between minors, so it is read from the go.mod of the version itself.
#
# With the version that go.mod has already, nothing may change:
#   hack/upgrade-k8s.sh v1.37.2 && git diff --exit-code
set -euo pipefail

usage() {
  cat <<'EOF'
usage: hack/upgrade-k8s.sh VERSION

Sets k8s.io/kubernetes to VERSION (as v1.37.3) in go.mod and test/schedperf/go.mod,
every module of its staging directory to the version that belongs to it (v0.37.3),
there and in hack/helm/go.mod, and tidies. When a step fails, go.mod and go.sum are as before.
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

# The modules of k8s.io in the require or the replace lines of a go.mod. What is
# required at v0.0.0 has that from k8s.io/kubernetes, and go mod tidy keeps it.
named() {
  awk -v verb="$1" '
    $2 == "(" { block = $1; next }
    $1 == ")" { block = ""; next }
    $1 == "require" || $1 == "replace" { line = $1; sub(/^[a-z]+[ \t]+/, "") }
    (line == verb || block == verb) && $1 ~ /^k8s\.io\// && $2 != "v0.0.0" { print $1 }
    { line = "" }
  ' "$2"
}

# go mod tidy takes out again what nothing imports; the samples nothing can.
ours=("-require=k8s.io/kubernetes@$version")
for module in "${staging[@]}"; do
  [[ $module == k8s.io/sample-* ]] || ours+=("-require=$module@$staging_version")
done

schedperf=("-require=k8s.io/kubernetes@$version")
for module in $(named require test/schedperf/go.mod); do
  [[ -z ${is_staging[$module]:-} ]] || schedperf+=("-require=$module@$staging_version")
done
for module in $(named replace test/schedperf/go.mod); do
  [[ -n ${is_staging[$module]:-} ]] || schedperf+=("-dropreplace=$module")
done
for module in "${staging[@]}"; do
  schedperf+=("-replace=$module=$module@$staging_version")
done

helm_edits=()
for module in $(named require hack/helm/go.mod); do
  [[ -z ${is_staging[$module]:-} ]] || helm_edits+=("-require=$module@$staging_version")
done

backup=$(mktemp -d)
done=
finish() {
  if [[ -z $done ]]; then
    cp "$backup/go.mod" "$backup/go.sum" .
    cp "$backup/schedperf/go.mod" "$backup/schedperf/go.sum" test/schedperf/
    cp "$backup/helm/go.mod" "$backup/helm/go.sum" hack/helm/
    printf 'upgrade-k8s: a step failed; go.mod and go.sum are as before\n' >&2
  fi
  rm -r "$backup"
}
mkdir "$backup/schedperf" "$backup/helm"
cp go.mod go.sum "$backup/"
cp test/schedperf/go.mod test/schedperf/go.sum "$backup/schedperf/"
cp hack/helm/go.mod hack/helm/go.sum "$backup/helm/"
trap finish EXIT

go mod edit "${ours[@]}"
go mod tidy
go -C test/schedperf mod edit "${schedperf[@]}"
go -C test/schedperf mod tidy
go -C hack/helm mod edit "${helm_edits[@]}"
go -C hack/helm mod tidy
done=1
printf 'k8s.io/kubernetes %s and %d staging modules at %s; next: kubeVersion in charts/vicinity/Chart.yaml, and make verify test\n' "$version" "${#staging[@]}" "$staging_version"
