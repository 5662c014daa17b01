#!/usr/bin/env bash
# Makes the release of HEAD twice and compares: see usage.
#
# The second build has another directory and an empty build cache. With a shared
# cache it proves little of the compiler: -trimpath takes the directory out of the
# key of a package, so that the second build only copies what the first one
# compiled; what is left to compare is how programs are linked and packed. The
# first build may use the machine's cache, which then is checked along with the
# rest.
#
# It does not prove that another machine gives the same: the module cache and Go
# itself are shared. Whoever compares with a released digest checks that.
set -euo pipefail

usage() {
  cat <<'EOF'
usage: hack/reproducible.sh [--shared-cache]

Makes every file of a release of HEAD in two directories, the second time with an
empty build cache (ten minutes on two cores for each platform), and fails unless
both are the same, byte for byte. With --shared-cache the second time takes a
minute or two and checks less: how programs are linked and packed.

PLATFORMS and PROGRAMS are those of make release; PLATFORMS is that of this machine
when it is not set.
EOF
}

if [[ $# -eq 1 && ($1 == -h || $1 == --help) ]]; then
  usage
  exit 0
fi
shared=
if [[ $# -eq 1 && $1 == --shared-cache ]]; then
  shared=1
elif [[ $# -ne 0 ]]; then
  usage >&2
  exit 2
fi

cd "$(dirname "${BASH_SOURCE[0]}")/.."
if [[ -n $(git status --porcelain --untracked-files=no) ]]; then
  printf 'reproducible: the work tree has changes; this checks HEAD, without them\n' >&2
fi
# The sources come without a repository, so that what git knows is passed on.
settings=(
  "$(make --no-print-directory print-version)"
  "REVISION=$(git rev-parse HEAD)"
  "SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)"
  "PLATFORMS=${PLATFORMS:-linux/$(go env GOHOSTARCH)}"
)
settings[0]=${settings[0]%-dirty}
[[ -z ${PROGRAMS:-} ]] || settings+=("PROGRAMS=$PROGRAMS")

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
first=$work/one second=$work/another/directory
mkdir -p "$first" "$second"
git archive HEAD | tar -x -C "$first"
git archive HEAD | tar -x -C "$second"
make --no-print-directory -C "$first" release "${settings[@]}"
cache=$work/cache
[[ -z $shared ]] || cache=$(go env GOCACHE)
# Other settings of Go, file modes, time zone and language must not show.
(umask 077 && TZ=Pacific/Chatham LC_ALL=C GOCACHE=$cache GOFLAGS=-tags=other GOAMD64=v3 \
  make --no-print-directory -C "$second" release "${settings[@]}")

same=1
for file in $(cd "$first/bin" && find dist -type f | sort); do
  sums=$(sha256sum "$first/bin/$file" "$second/bin/$file" | cut -d ' ' -f 1 | uniq)
  if [[ $sums == *$'\n'* ]]; then
    printf 'reproducible: %s differs: %s\n' "$file" "${sums//$'\n'/ }" >&2
    same=
  else
    printf 'reproducible: %s is %s both times\n' "$file" "$sums"
  fi
done
[[ -n $same ]]
