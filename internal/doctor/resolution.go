package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/internal/kube"
	"github.com/vicinity-sched/vicinity/internal/kube/objects"
	"github.com/vicinity-sched/vicinity/internal/show"
)

const (
	// negligible is the share of all bytes that may be left out without a word, and much, most
	// are those from which it is a warning and an error.
	negligible, much, most = 0.01, 0.05, 0.6
	// muchOutside is the share of bytes with peers outside the cluster from which sites pay.
	muchOutside = 0.2
)

// outside are the reasons for what may be outside the cluster, which nobody has to mend.
func outside() []telemetry.Reason {
	return []telemetry.Reason{telemetry.External, telemetry.Passthrough, telemetry.UnknownAddress}
}

// resolution says which share of the bytes belongs to workloads, and why the others do not.
func (l *look) resolution(ctx context.Context) []Result {
	left, flows := l.leftOut(), 0.0
	for e := range l.snapshot.Edges() {
		flows += e.BytesPerSecond()
	}
	all := flows
	for _, o := range left {
		all += o.BytesPerSecond
	}
	if all == 0 {
		return []Result{notLooked(nameResolved, "There is no traffic."), notLooked(nameOutside, "There is no traffic.")}
	}
	examples := l.examples(ctx)
	var results []Result
	for _, reason := range telemetry.Reasons() {
		o := left[reason]
		share := o.BytesPerSecond / all
		if reason == telemetry.NoObjects && l.Objects == nil && o.Series > 0 {
			results = append(results, notLooked(nameResolved, "%s", l.withoutObjects()))
			continue
		}
		if slices.Contains(outside(), reason) || o.Series == 0 || reason.HasRate() && share < negligible {
			continue
		}
		r := Result{
			Check: nameResolved, Severity: Note, What: fmt.Sprintf("%s of all bytes (%s in %s) become no edge: %s.", show.Percent(share), show.ByteRate(o.BytesPerSecond), series(o.Series), reason),
			Why: "The scheduler does not see this traffic.", Next: sentence(l.Words.Reason(reason)),
		}
		switch {
		case !reason.HasRate():
			r.What = fmt.Sprintf("%s are not believed: %s.", series(o.Series), reason)
			if r.Severity = Warning; flows == 0 {
				r.Severity = Error
			}
		case share >= most:
			r.Severity = Error
		case share >= much:
			r.Severity = Warning
		}
		if e := examples[reason]; len(e) > 0 {
			r.What = strings.TrimSuffix(r.What, ".") + ", such as " + strings.Join(e, "; ") + "."
		}
		results = append(results, r)
	}
	if len(results) == 0 {
		results = []Result{good(nameResolved, "%s of the bytes within the cluster become edges between workloads.", show.Percent(resolvedShare(flows, left)))}
	}
	return append(results, l.outsidePeers(left, all, examples))
}

// withoutObjects says of which source the workloads are not known.
func (l *look) withoutObjects() string {
	for _, s := range l.status.Sources {
		if why := l.needsObjects(s); why != "" {
			return why
		}
	}
	return l.NoObjects
}

// resolvedShare is that of all bytes that are not with the outside.
func resolvedShare(flows float64, left map[telemetry.Reason]telemetry.LeftOut) float64 {
	all := flows
	for reason, o := range left {
		if !slices.Contains(outside(), reason) {
			all += o.BytesPerSecond
		}
	}
	if all == 0 {
		return 0
	}
	return flows / all
}

// leftOut is what all sources left out.
func (l *look) leftOut() map[telemetry.Reason]telemetry.LeftOut {
	all := map[telemetry.Reason]telemetry.LeftOut{}
	for _, s := range l.status.Sources {
		for reason, o := range s.LeftOut {
			sum := all[reason]
			sum.Series += o.Series
			sum.BytesPerSecond += o.BytesPerSecond
			all[reason] = sum
		}
	}
	return all
}

// outsidePeers says how much traffic is with peers outside the cluster.
func (l *look) outsidePeers(left map[telemetry.Reason]telemetry.LeftOut, all float64, examples map[telemetry.Reason][]string) Result {
	var bytes float64
	var of []string
	for _, reason := range outside() {
		bytes += left[reason].BytesPerSecond
		of = append(of, examples[reason]...)
	}
	share := bytes / all
	r := good(nameOutside, "%s of all bytes are with peers outside the cluster that are no site.", show.Percent(share))
	if share < negligible {
		return r
	}
	r.Severity, r.Why = Note, "The scheduler does not draw pods to where these peers are."
	r.Next = "If it is known in which zone or region some of them are, such as a managed database, name them in sites (docs/configuration.md#sites-outside-the-cluster)."
	if len(of) > 0 {
		r.What = strings.TrimSuffix(r.What, ".") + ", such as " + strings.Join(of[:min(len(of), 3)], "; ") + "."
	}
	if share >= muchOutside && len(l.cfg.Sites) == 0 {
		r.Severity = Warning
	}
	return r
}

// maxExamples is how many examples there are for each reason.
const maxExamples = 2

// examples are the largest series that were left out, by reason. A source is shown one series
// at a time, and says itself why it leaves it out.
func (l *look) examples(ctx context.Context) map[telemetry.Reason][]string {
	all := map[telemetry.Reason][]string{}
	for _, source := range l.sources {
		for _, q := range source.Queries() {
			a := l.spy.asked[q.PromQL]
			if a == nil {
				continue
			}
			slices.SortFunc(a.largest, func(x, y kept) int { return cmp.Compare(y.value, x.value) })
			for _, one := range a.largest[:min(len(a.largest), mostKept)] {
				reason := reasonOf(ctx, source, single{q.PromQL, one}, l.at())
				text := one.labels.String()
				if reason == telemetry.Included || reason == telemetry.OneSided || len(all[reason]) >= maxExamples || slices.Contains(all[reason], text) {
					continue
				}
				all[reason] = append(all[reason], text)
			}
		}
	}
	return all
}

// single is a telemetry.Querier that answers one query with one series.
type single struct {
	promQL string
	kept
}

// Query implements telemetry.Querier.
func (s single) Query(_ context.Context, query string, _ time.Time, yield func(telemetry.Series) error) error {
	if query != s.promQL {
		return nil
	}
	return yield(telemetry.Series{Labels: s.labels, Value: s.value})
}

// reasonOf is why a source leaves a series out, Included where it does not.
func reasonOf(ctx context.Context, source telemetry.Source, q telemetry.Querier, at time.Time) telemetry.Reason {
	o, err := source.Collect(ctx, q, at)
	if failed := (*telemetry.FindingError)(nil); err != nil && !errors.As(err, &failed) {
		return telemetry.Included
	}
	for _, reason := range telemetry.Reasons() {
		if o.LeftOut[reason].Series > 0 {
			return reason
		}
	}
	return telemetry.Included
}

// String has the labels that say something, in the order of their names.
func (l keptLabels) String() string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(l)) {
		if value := l[name]; value != "unknown" && !strings.HasSuffix(name, "_cluster") && name != "cluster" && name != "reporter" {
			all = append(all, name+"="+value)
		}
	}
	return some(all, 4)
}

// systemNamespaces have pods that no mesh is expected to see.
func systemNamespaces() []string {
	return []string{"kube-system", "kube-public", "kube-node-lease", "istio-system", "vicinity-system"}
}

// fewPods is the share of pods with traffic below which it is a warning.
const fewPods = 0.5

// pods compares the pods of the cluster with the workloads of the graph.
func (l *look) pods(context.Context) []Result {
	if l.Objects == nil {
		return []Result{notLooked(namePods, "%s", l.NoObjects), notLooked(nameKnown, "%s", l.NoObjects)}
	}
	seen := map[flowgraph.WorkloadID]bool{}
	for e := range l.snapshot.Edges() {
		for _, id := range []flowgraph.WorkloadID{e.From, e.To} {
			if !id.IsSite() {
				seen[id] = true
			}
		}
	}
	if len(seen) == 0 {
		return []Result{notLooked(namePods, "There is no traffic."), notLooked(nameKnown, "There is no traffic.")}
	}
	there, all, covered := map[flowgraph.WorkloadID]bool{}, 0, 0
	without, proxies := map[string]int{}, [2]int{}
	for _, pod := range objects.Of[*corev1.Pod](l.Objects) {
		id := kube.WorkloadOf(pod)
		there[id] = true
		if !kube.IsPeer(pod) || pod.Spec.HostNetwork || pod.Spec.NodeName == "" || slices.Contains(systemNamespaces(), pod.Namespace) {
			continue
		}
		all++
		if hasProxy(pod) {
			proxies[0]++
		}
		if seen[id] {
			covered++
			continue
		}
		without[id.String()]++
		if hasProxy(pod) {
			proxies[1]++
		}
	}
	r := coverage(all, covered, without)
	if proxies[0] > 0 && r.Severity != Fine {
		r.What += fmt.Sprintf(" A mesh's proxy runs in %d of all pods, and in %d of those without traffic.", proxies[0], proxies[1])
	}
	return []Result{r, knownWorkloads(seen, there)}
}

// proxyContainers are what meshes call the container of their proxy.
func proxyContainers() []string {
	return []string{"istio-proxy", "linkerd-proxy", "kuma-sidecar", "consul-dataplane", "envoy-sidecar", "envoy"}
}

// hasProxy reports whether a mesh's proxy runs in a pod.
func hasProxy(pod *corev1.Pod) bool {
	return slices.ContainsFunc(slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers), func(c corev1.Container) bool {
		return slices.Contains(proxyContainers(), c.Name)
	})
}

// coverage says what share of the pods have traffic.
func coverage(all, covered int, without map[string]int) Result {
	if all == 0 {
		return good(namePods, "No pod runs outside the system's namespaces.")
	}
	share := float64(covered) / float64(all)
	r := good(namePods, "%d of %s (%s) have traffic in the graph.", covered, show.Plural(all, "pod"), show.Percent(share))
	if covered == all {
		return r
	}
	names := slices.SortedFunc(maps.Keys(without), func(a, b string) int { return cmp.Or(cmp.Compare(without[b], without[a]), cmp.Compare(a, b)) })
	r.Severity = Note
	r.What = strings.TrimSuffix(r.What, ".") + ". Without: " + some(names, 4) + "."
	r.Why = "Pods without traffic are placed as without Vicinity. They may have none, or the mesh does not see them."
	r.Next = "Where they exchange traffic, give them the mesh's proxy, or add a source whose agents see all pods (docs/telemetry-sources.md)."
	if share < fewPods {
		r.Severity = Warning
	}
	return r
}

const (
	// fewKnown and someKnown are the shares of the graph's workloads that have pods below which
	// it is an error and a warning.
	fewKnown, someKnown = 0.1, 0.5
)

// knownWorkloads says what share of the workloads in the graph have pods.
func knownWorkloads(seen, there map[flowgraph.WorkloadID]bool) Result {
	var gone []string
	for id := range seen {
		if !there[id] {
			gone = append(gone, id.String())
		}
	}
	slices.Sort(gone)
	share := 1 - float64(len(gone))/float64(len(seen))
	r := good(nameKnown, "%d of %s in the graph have pods in the cluster.", len(seen)-len(gone), show.Plural(len(seen), "workload"))
	if share >= someKnown {
		return r
	}
	r.Severity = Warning
	r.What = strings.TrimSuffix(r.What, ".") + ". Without: " + some(gone, 4) + "."
	r.Why = "Traffic of workloads without pods attracts nobody."
	r.Next = "Check that the context of the kubeconfig is that of the cluster whose metrics these are, and select its metrics with selector or cluster of the source."
	if share < fewKnown {
		r.Severity = Error
	}
	return r
}
