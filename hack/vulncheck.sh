#!/usr/bin/env bash
# Looks for known vulnerabilities in what the programs call: see usage.
#
# It reads the source, not the binaries: these are stripped, and govulncheck then
# reports everything that is known of a module, called or not.
set -euo pipefail

usage() {
  cat <<'EOF'
usage: hack/vulncheck.sh GOVULNCHECK

Runs the govulncheck given by its path on all programs, which takes three minutes
on two cores, and fails when one calls something vulnerable that
hack/vulncheck.accepted does not name. Where the database of vulnerabilities
cannot be reached it says so and passes, unless GOVULNDB is set: the address of
the database to use (https://... or file:///...).
EOF
}

if [[ $# -eq 1 && ($1 == -h || $1 == --help) ]]; then
  usage
  exit 0
fi
if [[ $# -ne 1 ]]; then
  usage >&2
  exit 2
fi
govulncheck=$(realpath "$1")
cd "$(dirname "${BASH_SOURCE[0]}")/.."
database=()
[[ -z ${GOVULNDB:-} ]] || database=(-db "$GOVULNDB")

# One look-up costs nothing; a scan only asks after it has read all the source.
if ! why=$("$govulncheck" "${database[@]}" -mode query -format json stdlib@v1.0.0 2>&1 >/dev/null); then
  if [[ -n ${GOVULNDB:-} ]]; then
    printf 'vulncheck: GOVULNDB=%s cannot be read: %s\n' "$GOVULNDB" "$why" >&2
    exit 1
  fi
  cat >&2 <<EOF
******************************************************************************
vulncheck: NOT CHECKED: the database of vulnerabilities cannot be reached.
This says nothing about vulnerabilities. Run it where the database can be
reached, or set GOVULNDB to a copy.
$why
******************************************************************************
EOF
  exit 0
fi

# 3 is govulncheck's status for findings; anything else but 0 is a failure.
status=0
report=$("$govulncheck" "${database[@]}" ./cmd/...) || status=$?
if [[ $status -ne 0 && $status -ne 3 ]]; then
  printf '%s\nvulncheck: govulncheck failed\n' "$report" >&2
  exit 1
fi
accepted() { sed -e 's/#.*//' -e 's/[[:space:]].*//' -e '/^$/d' hack/vulncheck.accepted | sort; }
found() { sed -n 's/^Vulnerability #[0-9]*: //p' <<<"$report" | sort; }
if [[ $status -eq 3 && -z $(found) ]]; then
  printf '%s\nvulncheck: the report of govulncheck has another form than expected\n' "$report" >&2
  exit 1
fi
gone=$(comm -13 <(found) <(accepted))
[[ -z $gone ]] || printf 'vulncheck: no longer found, remove from hack/vulncheck.accepted: %s\n' "${gone//$'\n'/, }" >&2
new=$(comm -23 <(found) <(accepted))
if [[ -n $new ]]; then
  printf '%s\n\nvulncheck: not accepted: %s; upgrade the module, or name it with the reason in hack/vulncheck.accepted\n' \
    "$report" "${new//$'\n'/, }" >&2
  exit 1
fi
printf 'vulncheck: the programs call nothing that is known to be vulnerable (%s accepted)\n' "$(found | wc -l | tr -d ' ')"
