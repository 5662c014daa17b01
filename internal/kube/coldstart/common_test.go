package coldstart

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/declared"
)

// TestPredecessorsAreThoseBefore compares what is found in lines that are put in order once
// with what a look at all relatives finds.
func TestPredecessorsAreThoseBefore(t *testing.T) {
	random := rand.New(rand.NewPCG(41, 42))
	for range 20 {
		w, _ := world(t)
		for i := range 40 {
			labels := fmt.Sprintf(", app.kubernetes.io/name: a%d", random.IntN(3))
			more := ""
			if random.IntN(6) == 0 {
				more = `, annotations: {deployment.kubernetes.io/revision: "2"}`
			}
			w.Changed(nil, read(t, replicaSet(fmt.Sprint("w", i), "x", fmt.Sprintf("10:%02d", random.IntN(20)), labels, more)))
		}
		all, _ := w.New(now)
		for i := range all {
			is := w.known[all[i].ID]
			var want []declared.Predecessor
			var before []*workload
			for _, other := range w.known {
				kin := slices.ContainsFunc(is.kinships, func(k kinship) bool { return w.kin[k][other] })
				if kin && other != is && (other.old || other.since.Before(is.since)) {
					before = append(before, other)
				}
			}
			slices.SortFunc(before, func(a, b *workload) int { return cmp.Or(b.since.Compare(a.since), a.id.Compare(b.id)) })
			for _, other := range before[:min(len(before), mostPredecessors)] {
				want = append(want, declared.Predecessor{ID: other.id, Pods: other.all})
			}
			if diff := gocmp.Diff(want, all[i].Predecessors); diff != "" {
				t.Fatalf("predecessors of %s (-want +got):\n%s", is.id, diff)
			}
		}
	}
}

// TestPeersInCommon: workloads that have the same AppGroup or Sidecar have the same peers,
// each without itself and as many as may count.
func TestPeersInCommon(t *testing.T) {
	var dependencies, hosts []string
	for i := range 2 * declared.MaxPeers {
		dependencies = append(dependencies, fmt.Sprintf("{workload: {name: peer%d, selector: peer%d}}, {workload: {name: w0, selector: own}}", i, i))
		hosts = append(hosts, fmt.Sprintf("./w%d.shop.svc.cluster.local", i))
	}
	group := "{kind: AppGroup, metadata: {namespace: shop, name: g}, spec: {workloads: [{workload: {name: w, selector: own}, dependencies: [" + strings.Join(dependencies, ", ") + "]}]}}"
	sidecar := "{kind: Sidecar, metadata: {namespace: shop, name: s}, spec: {egress: [{hosts: [" + strings.Join(hosts, ", ") + "]}]}}"
	pod := func(i int, labels string) string {
		return fmt.Sprintf("{kind: Pod, metadata: {namespace: shop, name: w%d, TIME(10:00), labels: {app: w%d%s}}}", i, i, labels)
	}
	cases := map[string]struct {
		object, labels string
		peers          func(w *Workloads, is *workload) []declared.Peer
	}{
		"AppGroup": {group, ", appgroup.diktyo.x-k8s.io: g, appgroup.diktyo.x-k8s.io.workload: own", (*Workloads).groupPeers},
		"Sidecar":  {sidecar, "", (*Workloads).sidecarPeers},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			objects := []string{test.object}
			for i := range 2 * declared.MaxPeers {
				objects = append(objects, pod(i, test.labels), service(fmt.Sprint("w", i), fmt.Sprint("w", i)))
			}
			w, _ := world(t, objects...)
			w.found = newFound()
			for i := range 2 * declared.MaxPeers {
				is := w.known[flowgraph.WorkloadID{Namespace: "shop", Name: fmt.Sprint("w", i)}]
				peers := test.peers(w, is)
				if len(peers) != declared.MaxPeers {
					t.Errorf("%s has %d peers", is.id, len(peers))
				}
				if slices.ContainsFunc(peers, func(p declared.Peer) bool { return p.ID == is.id }) {
					t.Errorf("%s is its own peer", is.id)
				}
				w.found = newFound()
				if diff := gocmp.Diff(test.peers(w, is), peers); diff != "" {
					t.Errorf("%s on its own (-alone +in common):\n%s", is.id, diff)
				}
			}
		})
	}
}

// TestNamedServicesAreBounded: Services that stand for all workloads of a namespace are named by
// all of these. What that takes is not the product.
func TestNamedServicesAreBounded(t *testing.T) {
	const n = 200
	var objects, names []string
	for i := range declared.MaxPeers {
		objects = append(objects, fmt.Sprintf("{kind: Service, metadata: {namespace: shop, name: s%d}, spec: {selector: {all: them}}}", i))
		names = append(names, fmt.Sprint("s", i))
	}
	for i := range n {
		objects = append(objects, replicaSet(fmt.Sprint("w", i), "a", "10:00", ", all: them", annotated(strings.Join(names, ","))))
	}
	w, _ := world(t, objects...)
	all, _ := w.New(now)
	if len(all) != n {
		t.Fatalf("%d workloads declare something", len(all))
	}
	for _, d := range all {
		others := 0
		for _, p := range d.Peers {
			if p.ID != d.ID {
				others++
			}
			if p.Share != 1./n {
				t.Fatalf("%s has %v of the Service's pods", p.ID, p.Share)
			}
		}
		if others != declared.MaxPeers || len(d.Peers) > 2*declared.MaxPeers {
			t.Fatalf("%s has %d peers and %d others", d.ID, len(d.Peers), others)
		}
	}
}

// BenchmarkNewAlike finds what is declared of 3,000 new workloads of one service, which have
// an AppGroup and a Sidecar in common.
func BenchmarkNewAlike(b *testing.B) {
	var dependencies, hosts []string
	for i := range 5000 {
		dependencies = append(dependencies, fmt.Sprintf("{workload: {name: p%d, selector: p%d}}", i, i))
		hosts = append(hosts, fmt.Sprintf("./p%d.shop.svc.cluster.local", i))
	}
	w, _ := world(b,
		"{kind: AppGroup, metadata: {namespace: shop, name: g}, spec: {workloads: [{workload: {name: w, selector: own}, dependencies: ["+strings.Join(dependencies, ", ")+"]}]}}",
		"{kind: Sidecar, metadata: {namespace: shop, name: s}, spec: {egress: [{hosts: ["+strings.Join(hosts, ", ")+"]}]}}")
	for i := range 3000 {
		w.Changed(nil, read(b, fmt.Sprintf("{kind: Pod, metadata: {namespace: shop, name: w%d, TIME(10:%02d), "+
			"labels: {app.kubernetes.io/name: w, appgroup.diktyo.x-k8s.io: g, appgroup.diktyo.x-k8s.io.workload: own}}}", i, i%30)))
	}
	b.ReportAllocs()
	for b.Loop() {
		if all, _ := w.New(now); len(all) != 3000 {
			b.Fatalf("%d workloads", len(all))
		}
	}
}
