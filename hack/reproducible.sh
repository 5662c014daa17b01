#!/usr/bin/env bash
# Builds the image of HEAD twice and compares: see usage.
#
# The second build has another directory and an empty build cache. With a shared
# cache it would prove next to nothing: -trimpath takes the directory out of the
# key of a package, so that the second build would only copy what the first one
# compiled. The first build may use the machine's cache, which then is checked
# along with the rest.
#
# It does not prove that another machine gives the same: the module cache and Go
# itself are shared. Whoever compares with a released digest checks that.
set -euo pipefail

usage() {
  cat <<'EOF'
usage: hack/reproducible.sh

Builds the image of HEAD in two directories, the second time with an empty build
cache (four minutes on two cores for each platform), and fails unless both are
the same, byte for byte. PLATFORMS is that of make image.
EOF
}

if [[ $# -eq 1 && ($1 == -h || $1 == --help) ]]; then
  usage
  exit 0
fi
if [[ $# -ne 0 ]]; then
  usage >&2
  exit 2
fi

cd "$(dirname "${BASH_SOURCE[0]}")/.."
if [[ -n $(git status --porcelain --untracked-files=no) ]]; then
  printf 'reproducible: the work tree has changes; this checks HEAD, without them\n' >&2
fi
# The sources come without a repository, so that what git knows is passed on.
settings=(
  "VERSION=$(git describe --tags --always)"
  "REVISION=$(git rev-parse HEAD)"
  "SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)"
)
[[ -z ${PLATFORMS:-} ]] || settings+=("PLATFORMS=$PLATFORMS")

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
first=$work/one second=$work/another/directory
mkdir -p "$first" "$second"
git archive HEAD | tar -x -C "$first"
git archive HEAD | tar -x -C "$second"
make --no-print-directory -C "$first" image "${settings[@]}"
# Other settings of Go, file modes, time zone and language must not show.
(umask 077 && TZ=Pacific/Chatham LC_ALL=C GOCACHE=$work/cache GOFLAGS=-tags=other GOAMD64=v3 \
  make --no-print-directory -C "$second" image "${settings[@]}")

same=1
for file in $(cd "$first/bin" && find . -name vicinity-scheduler -o -name licences.txt -o -name '*.oci.tar' | sort); do
  sums=$(sha256sum "$first/bin/$file" "$second/bin/$file" | cut -d ' ' -f 1 | uniq)
  if [[ $sums == *$'\n'* ]]; then
    printf 'reproducible: %s differs: %s\n' "$file" "${sums//$'\n'/ }" >&2
    same=
  else
    printf 'reproducible: %s is %s both times\n' "$file" "$sums"
  fi
done
[[ -n $same ]]
