// Command docdoctor writes docs/doctor.md from the descriptions of the checks of vicinity
// doctor. It is run in the module's directory, whenever a check has changed:
//
//	go run ./hack/docdoctor
package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/vicinity-sched/vicinity/internal/doctor"
)

const page = "docs/doctor.md"

func main() {
	if err := os.WriteFile(page, []byte(render(doctor.Docs())), 0o644); err != nil {
		fmt.Fprintln(os.Stderr, "docdoctor:", err)
		os.Exit(1)
	}
}

const intro = `# vicinity doctor

<!-- Written by "go run ./hack/docdoctor" from the descriptions in the code; do not edit. -->

` + "`vicinity doctor`" + ` finds out what is wrong with an installation. It only reads, and changes
neither the cluster nor Prometheus. Each result says what was found, why it matters, and what to
type next.

` + "```sh" + `
vicinity doctor; echo "exit code $?"
` + "```" + `

It finds Prometheus in the cluster ([connecting.md](connecting.md)), or takes it from ` + "`--prometheus`" + `.
It checks the types of sources whose metrics exist, or those that ` + "`--source`" + ` names.

It reads the traffic as the scheduler does. To find out which settings of ` + "`trust`" + ` this telemetry
allows, it makes up to five more refreshes; each costs Prometheus as much as one of the scheduler's.

Whatever cannot be checked is listed as unchecked, with the reason. Without a kubeconfig, only the
telemetry is checked; without a Prometheus, only the cluster. [Permissions](#permissions)
says what an account needs in order to read all of the cluster.

The cluster's objects are read once, in pages, and of each only what the checks look at is kept. If
the cluster has several schedulers, the checks look at the one with the most ready pods;
` + "`scheduler-single`" + ` names the others. To look at another one:

` + "```sh" + `
vicinity doctor --scheduler vicinity-system/vicinity-scheduler; echo "exit code $?"
` + "```" + `

## Output

The table groups the results, the worst first. Checks that found nothing wrong share one line
in each group; ` + "`--all`" + ` gives each a line of its own. The last line counts the results by severity.

| severity | meaning | exit code |
| --- | --- | --- |
| error | Vicinity is useless, figures are wrong, or pods wait. | 6 |
| warning | Vicinity is less useful, or figures are incomplete. | 5, unless there is an error |
| unchecked | It could not be checked. | 0; 1 if nothing at all could be checked, or neither a scheduler nor the pods of the cluster |
| note | Worth knowing; you need do nothing. | 0 |
| ok | Everything is as it should be. | 0 |

` + "`-o json`" + ` prints the schema ` + "`" + doctor.Schema + "`" + `: ` + "`worst`" + ` is the highest severity, ` + "`counts`" + ` has the
number of results by severity, and each of ` + "`results`" + ` has ` + "`check`, `group`, `severity`, `what`, `why` and `next`" + `.
Names of checks are stable; fields may be added. An exit code of 0 says that nothing was found in
what was checked: look at the count of unchecked results, too.

` + "```sh" + `
vicinity doctor -o json > doctor.json; jq '.results[] | select(.severity == "error")' doctor.json
` + "```" + `

## A TelemetryConfiguration to begin with

` + "`--suggest`" + ` prints a TelemetryConfiguration instead of the results: the types of sources whose
metrics exist, a window that holds at least four scrapes, selectors that leave out what is scraped
twice, and the settings of ` + "`trust`" + ` that this telemetry allows. Comments say why. With
` + "`--telemetry-config`" + `, it prints that file with the changes that it suggests, but without the file's own comments.

` + "```sh" + `
vicinity doctor --suggest > telemetry.yaml
` + "```" + `

The exit code is 0 when a configuration was printed, 1 when there is nothing to suggest.

Give the file to check it: its credentials are used, and its sources are checked instead of those
that are found. ` + "`--scheduler-config`" + ` names the scheduler's other file, to check it instead of the
one in the cluster.

` + "```sh" + `
vicinity doctor --telemetry-config telemetry.yaml; echo "exit code $?"
` + "```" + `

## Permissions

This allows all that the checks read. Whoever lacks a part of it gets the other checks;
` + "`cluster-access`" + ` names what cannot be listed in all namespaces, and the command that grants it.

` + "```yaml" + `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: vicinity-doctor
rules:
- apiGroups: [""]
  resources: [nodes, pods]
  verbs: [list]
- apiGroups: [""]
  resources: [namespaces, services]
  verbs: [get, list]
- apiGroups: [""]
  resources: [configmaps]
  verbs: [get]
- apiGroups: [apps]
  resources: [deployments, replicasets, statefulsets, daemonsets]
  verbs: [list]
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [get, list]
- apiGroups: [networking.k8s.io]
  resources: [networkpolicies]
  verbs: [list]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [list]
- apiGroups: [networking.istio.io]
  resources: [destinationrules, sidecars]
  verbs: [list]
- apiGroups: [appgroup.diktyo.x-k8s.io]
  resources: [appgroups]
  verbs: [list]
- apiGroups: [authorization.k8s.io]
  resources: [subjectaccessreviews]
  verbs: [create]
` + "```" + `

` + "`configmaps`" + ` and ` + "`subjectaccessreviews`" + ` can be left out: then the scheduler's configuration and
its permissions are unchecked. Finding Prometheus in the cluster and asking it through the API
server needs the rules in [connecting.md](connecting.md#permissions) as well.
`

// render returns the page.
func render(all []doctor.Doc) string {
	var b strings.Builder
	b.WriteString(intro)
	group := ""
	for _, d := range all {
		if d.Group != group {
			group = d.Group
			fmt.Fprintf(&b, "\n## %s\n\n| check | what it looks at | results |\n| --- | --- | --- |\n", group)
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", d.Check, cell(d.Meaning), cell(d.Severities))
	}
	return b.String()
}

// cell is a text as a cell of a table has it.
func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }
