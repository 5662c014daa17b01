package manual

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// What causes have in common.
const (
	reports = `kubectl -n shop delete deployment report --ignore-not-found; kubectl -n shop create deployment report --image example.com/report; `
	asks    = `kubectl -n shop patch deployment report -p '{"spec":{"template":{"spec":{"schedulerName":"vicinity"}}}}'; `
	gone    = `kubectl -n shop delete deployment report --ignore-not-found`
	upgrade = `helm upgrade vicinity charts/vicinity --namespace vicinity-system --reset-values`
	// No host has this name, and no DNS server need be asked.
	unreachable = upgrade + ` --set telemetry.prometheus.url=http://prometheus..monitoring:9090`
	stable      = `kubectl -n vicinity-system rollout status deployment/vicinity-scheduler`
	logs        = `kubectl -n vicinity-system logs -l app.kubernetes.io/name=vicinity-scheduler --tail -1`
	pending     = `kubectl -n shop get pods --field-selector status.phase=Pending,spec.schedulerName=vicinity -o name | grep -q report`
)

// paths are all paths of the page, in its order. others is the address of
// otherServers.
func paths(others string) []path {
	return slices.Concat(scorePaths(), pendingPaths(), telemetryPaths(others), prometheusPaths(others), podPaths(), figurePaths())
}

// until waits for a condition.
func until(condition string) string { return `until ` + condition + `; do sleep 0.2; done; ` }

func scorePaths() []path {
	const (
		section = "All my scores are zero"
		// What the Deployment's controller copies, and nobody removes.
		copied   = `until kubectl -n shop get replicasets -l app=cart -o jsonpath='{..annotations}' | grep -q '"vicinity.dev/locality":"%s"'; do sleep 0.2; done`
		forgets  = `kubectl -n shop annotate deployments,replicasets -l app=cart vicinity.dev/locality-`
		says     = ` --set 'scheduler.extraArgs={--vmodule=decisions=4}'; ` + stable + `; `
		old      = upgrade + ` --set scheduler.args.staleAfter=1s --set scheduler.args.expireAfter=2s` + says
		replaces = `until ` + logs + ` | grep -q 'reason="expired"'; do kubectl -n shop delete pods -l app=report; done`
	)
	return []path{
		{section: section, cause: `kubectl -n shop annotate deployment cart vicinity.dev/locality=off; ` + fmt.Sprintf(copied, "off"),
			sees: []string{"has no say (off)", "note: ReplicaSet cart-", `has the annotation vicinity.dev/locality: "off"`}, cured: forgets},
		{section: section, again: true, cause: `kubectl annotate namespace shop vicinity.dev/locality=off`,
			sees: []string{"has no say (off)", `namespace shop has the annotation vicinity.dev/locality: "off"`}, cured: `kubectl annotate namespace shop vicinity.dev/locality-`},
		{section: section, cause: `kubectl -n shop annotate deployment cart vicinity.dev/locality=off`, sees: []string{"annotated"}},
		{section: section, cause: fmt.Sprintf(copied, "on"), sees: []string{"a pod exchanges"}, cured: forgets},
		{section: section, cause: upgrade + ` --set scheduler.args.optIn=true`, sees: []string{"has no say (off)", "has not opted in although `optIn` is set."}, holds: noAnnotation},
		{section: section, cause: unreachable + says + reports + asks + until(logs+` | grep -q 'reason="no-data"'`), sees: []string{`reason="no-data"`}},
		{section: section, again: true, cause: old + replaces, sees: []string{`reason="expired"`}, cured: gone + `; ` + upgrade + `; ` + stable},
		{section: section, cause: `kubectl -n shop scale deployment checkout --replicas 0; ` + until(`! kubectl -n shop get pods -l app=checkout -o name | grep -q .`),
			sees:  []string{"has no say (no-peers): No candidate node is close to a pod or a site that the workload has traffic with."},
			cured: `kubectl -n shop scale deployment checkout --replicas 1; kubectl -n shop rollout status deployment/checkout`},
		{section: section, sees: []string{"a pod exchanges", "significance 0.0"}},
		{section: section, cause: reports, sees: []string{"has no say (no-traffic): The graph has no traffic of the pod's workload."}, cured: gone},
	}
}

func pendingPaths() []path {
	const (
		section    = "Pods stay Pending"
		misspelled = `kubectl -n shop patch deployment report -p '{"spec":{"template":{"spec":{"schedulerName":"vicinty"}}}}'; `
		none       = `kubectl -n vicinity-system scale deployment vicinity-scheduler --replicas 0; `
		// A scheduler of other pods that holds the lease, from when no replica runs.
		other = `sed "s/schedulerName: vicinity/schedulerName: other/; \$a clientConnection: {kubeconfig: $KUBECONFIG}" scheduler.yaml > other.yaml; ` +
			`vicinity-scheduler --config other.yaml --telemetry-config telemetry.yaml --secure-port 0 > other.log 2>&1 & `
		forbids = `kubectl -n vicinity-system delete rolebinding vicinity:leader-election; `
		bars    = `kubectl delete clusterrolebinding vicinity:kube-scheduler; `
		// Permissions are asked for at the start, and then once a minute.
		starts = `kubectl -n vicinity-system delete pods -l app.kubernetes.io/name=vicinity-scheduler; `
		grants = `helm upgrade vicinity charts/vicinity --namespace vicinity-system --reuse-values; `
		large  = `kubectl -n shop set resources deployment report --requests=cpu=100; `
	)
	return []path{
		{section: section, cause: reports + misspelled + until(`kubectl -n shop get pods -o jsonpath='{..schedulerName}' | grep -qw vicinty`), sees: []string{"vicinty"}},
		{section: section, cause: none + asks + until(pending), sees: []string{"0/0"}},
		{section: section, cause: other + until(`grep -q 'Successfully acquired lease' other.log`), sees: []string{"successfully rolled out"}},
		{section: section, cause: until(logs + ` | grep -q 'Attempting to acquire'`), sees: []string{"Attempting to acquire leader lease"}, holds: noneLeads},
		{section: section, again: true, cause: forbids + until(logs+` | grep -q 'Error retrieving lease lock'`), sees: []string{"Error retrieving lease lock", "is forbidden"}},
		{section: section, sees: []string{"has been upgraded"}},
		{section: section, cause: pending, sees: []string{"HOLDER", "Running"}, cured: `kill %%; kubectl -n shop rollout status deployment/report; ` + gone},
		{section: section, cause: bars + starts + until(logs+` | grep -q 'list nodes'`),
			sees: []string{"Permission missing", "No pod is scheduled. Part of ClusterRole system:kube-scheduler."}, cured: grants + stable},
		{section: section, cause: reports + asks + large + until(`kubectl -n shop get events --field-selector reason=FailedScheduling -o name | grep -q .`),
			sees: []string{"FailedScheduling", "Insufficient cpu"}, cured: gone},
	}
}

func telemetryPaths(others string) []path {
	const (
		low     = "The figures are too low"
		nothing = "Nothing changes after handing over"
		empty   = "The graph is empty"
		// A pod whose workload no proxy knows.
		nameless = `kubectl -n shop run nameless --image x --labels app=search,service.istio.io/workload-name=unknown; ` +
			`until vicinity graph --window 5s | grep -q '^external '; do sleep 0.2; done`
		silenced = upgrade + ` --set scheduler.args.shadow=true --set scheduler.weight=2`
		original = `mv telemetry.yaml.orig telemetry.yaml`
	)
	return []path{
		{section: low, sees: []string{"young-data", "less than the window of 1h"}},
		{section: low, cause: nameless, sees: []string{"Left out by istio-sidecar:", "external: one end is outside the mesh"}, cured: `kubectl -n shop delete pod nameless`},
		{section: low, cause: `sed -i.orig "s|url: .*|url: ` + others + `/without-bytes|" telemetry.yaml`,
			sees: []string{"missing-bytes: istio_request_bytes_sum and istio_response_bytes_sum have no series, but", "pairs of workloads exchange requests."}, cured: original},
		{section: nothing, cause: `kubectl label namespace shop vicinity.dev/scheduler=vicinity`,
			sees: []string{"default-scheduler"}, cured: `kubectl label namespace shop vicinity.dev/scheduler-`},
		{section: nothing, sees: []string{"ROUTING", "Uniform"}},
		{section: nothing, cause: silenced, sees: []string{"[config-weight]", "Profile vicinity is in shadow mode. [config-shadow]"}, cured: upgrade},
		{section: empty, cause: `sed -i.orig 's/istio-sidecar/linkerd/' telemetry.yaml`,
			sees: []string{"The graph is empty: the scheduler would place pods without regard to traffic.", "linkerd: no query returned a series."}},
		{section: empty, sees: []string{"istio-sidecar"}, cured: original},
	}
}

func prometheusPaths(others string) []path {
	const (
		section = "Prometheus cannot be reached or denies access"
		log     = `kubectl -n vicinity-system logs deployment/vicinity-scheduler`
	)
	return []path{
		{section: section, cause: `export SANDBOX=$PROMETHEUS PROMETHEUS=http://127.0.0.1:1`, sees: []string{"connection refused"}},
		{section: section, again: true, cause: `export PROMETHEUS=http://prometheus..monitoring:9090`, sees: []string{"no such host"}},
		{section: section, again: true, cause: `export PROMETHEUS=` + others + `/silent`, sees: []string{"no answer in time"}},
		{section: section, again: true, cause: `export PROMETHEUS=` + others + `/unauthorized`, sees: []string{`the server answered "401 Unauthorized"`}},
		{section: section, again: true, cause: `export PROMETHEUS=` + others + `/forbidden`, sees: []string{`"403 Forbidden"`}, cured: `export PROMETHEUS=$SANDBOX`},
		{section: section, cause: until(log + ` | grep -q 'Telemetry is read'`), sees: []string{"Telemetry is read"}},
		{section: section, again: true, cause: unreachable + `; ` + stable + `; ` + until(log+` | grep -q 'Reading telemetry fails'`),
			sees: []string{"Reading telemetry fails", "lookup prometheus..monitoring: no such host"}, cured: upgrade + `; ` + stable},
	}
}

func podPaths() []path {
	const (
		refused  = "Pods are refused with OutOfcpu"
		restarts = "The scheduler restarts"
		big      = `kubectl -n shop run big --image x --overrides='{"spec":{"nodeName":"zone-a-1","containers":[{"name":"big","image":"x","resources":{"requests":{"cpu":"4"}}}]}}'; `
		// Otherwise the lease of a dead leader would be held for as long as it is valid.
		free  = `kubectl -n vicinity-system delete lease vicinity-scheduler; `
		kills = `for p in $(ps -eo pid,args | awk -v of="$TOOLS/vicinity-scheduler" '$2 == of {print $1}'); do kill -9 $p; done; `
		wrong = `helm upgrade vicinity charts/vicinity --namespace vicinity-system --set scheduler.args.maxShare.node=7; `
	)
	return []path{
		{section: refused, cause: big + until(`kubectl -n shop get pods --field-selector status.phase=Failed -o name | grep -q big`), sees: []string{"OutOfcpu"}},
		{section: refused, sees: []string{"big"}},
		{section: restarts, cause: kills + free + until(`kubectl -n vicinity-system get pods -o jsonpath='{..lastState.terminated.reason}' | grep -q OOMKilled`),
			sees: []string{"OOMKilled"}, cured: stable},
		{section: restarts, cause: wrong + until(`kubectl -n vicinity-system get pods | grep -q CrashLoopBackOff`), sees: []string{"CrashLoopBackOff"}},
		{section: restarts, sees: []string{"maxShare.node"}},
		{section: restarts, sees: []string{"Rollback was a success"}},
	}
}

func figurePaths() []path {
	const (
		figures = "Two figures disagree"
		another = "explain names another node"
		idle    = `kubectl -n shop scale deployment catalog --replicas 0; `
		verbose = `helm upgrade vicinity charts/vicinity --namespace vicinity-system --set profile=cost --set 'scheduler.extraArgs={--vmodule=decisions=4}'; `
		busy    = `kubectl -n shop scale deployment catalog --replicas 3; kubectl -n shop rollout status deployment/catalog`
		places  = `kubectl -n shop patch deployment catalog -p '{"spec":{"template":{"spec":{"schedulerName":"vicinity"}}}}'; `
	)
	return []path{
		{section: figures, cause: idle + until(`! vicinity graph --window 5s | grep -q '^shop/frontend *shop/catalog '`), sees: []string{"rates over 5m", "shop/catalog"}, holds: once("shop/catalog ")},
		{section: figures, sees: []string{"frontend"}, holds: twice},
		{section: figures, sees: []string{"destination", "source"}},
		{section: figures, sees: []string{"shop/catalog", "tolerance"}, holds: peer("shop/catalog"), cured: busy},
		{section: another, cause: verbose, sees: []string{"vicinity of scheduler.yaml"}},
		{section: another, cause: stable + `; ` + until(logs+` | grep -q 'Successfully acquired lease'`) + places + until(logs+` | grep -q 'has scored a pod'`),
			sees: []string{"TrafficLocality has scored a pod that is bound"}},
		{section: another, sees: []string{"vicinity", "default-scheduler"}},
	}
}

// noneLeads says whether the log of a replica has nothing to say of the lease but that it waits.
func noneLeads(screen string) error {
	for _, word := range []string{"Successfully acquired lease", "Error retrieving lease lock"} {
		if strings.Contains(screen, word) {
			return fmt.Errorf("the screen has %q", word)
		}
	}
	return nil
}

// once says whether one of two tables, not both, has a row of calls of the frontend to a
// workload.
func once(to string) func(string) error {
	return func(screen string) error {
		rows := 0
		for line := range strings.Lines(screen) {
			if strings.HasPrefix(line, "shop/frontend") && strings.Contains(line, to) {
				rows++
			}
		}
		if rows != 1 {
			return fmt.Errorf("there are %d rows of frontend and %s, want one", rows, to)
		}
		return nil
	}
}

// peer says whether a table has a peer that is called, with its bytes.
func peer(name string) func(string) error {
	row := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(name) + ` +calls .* [1-9][0-9.]* [KM]iB/s`)
	return func(screen string) error {
		if !row.MatchString(screen) {
			return fmt.Errorf("there are no bytes of calls to %s", name)
		}
		return nil
	}
}

// noAnnotation says whether no object on the screen has an annotation.
func noAnnotation(screen string) error {
	if strings.Contains(screen, "has the annotation") {
		return errors.New("an object has the annotation")
	}
	return nil
}
