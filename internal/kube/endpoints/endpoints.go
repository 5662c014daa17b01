// Package endpoints finds the workloads behind what telemetry names: pods, Services,
// ReplicaSets, Jobs, labels and addresses of pods, services of Consul. It reads objects from
// informers, which it neither starts nor waits for, or from a Store that a file or a recording
// fills. It knows no telemetry source and keeps nothing between two questions.
package endpoints

import (
	"cmp"
	"slices"
	"sync/atomic"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/informers"
	appslisters "k8s.io/client-go/listers/apps/v1"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/internal/kube"
)

var _ telemetry.Resolver = (*Resolver)(nil)

// Resolver finds the workloads behind endpoints. The zero Resolver knows no objects until
// ReadFrom. It is safe for concurrent use.
type Resolver struct{ objects atomic.Pointer[objects] }

// objects are what is looked up.
type objects struct {
	pods        corelisters.PodLister
	services    corelisters.ServiceLister
	nodes       corelisters.NodeLister
	replicaSets appslisters.ReplicaSetLister
	synced      []cache.InformerSynced
}

// ReadFrom has the Resolver look at the Pods, Services, Nodes and ReplicaSets of a factory
// from now on. kube-scheduler runs these informers for itself.
func (r *Resolver) ReadFrom(f informers.SharedInformerFactory) {
	core, apps := f.Core().V1(), f.Apps().V1()
	r.objects.Store(&objects{
		pods: core.Pods().Lister(), services: core.Services().Lister(), nodes: core.Nodes().Lister(), replicaSets: apps.ReplicaSets().Lister(),
		synced: []cache.InformerSynced{
			core.Pods().Informer().HasSynced, core.Services().Informer().HasSynced,
			core.Nodes().Informer().HasSynced, apps.ReplicaSets().Informer().HasSynced,
		},
	})
}

// HasSynced reports whether the informers have listed all objects.
func (r *Resolver) HasSynced() bool {
	o := r.objects.Load()
	return o != nil && !slices.ContainsFunc(o.synced, func(synced cache.InformerSynced) bool { return !synced() })
}

// Resolve implements telemetry.Resolver. It looks at all pods once when any of the
// endpoints is a Service, a label, an address or a service of Consul.
func (r *Resolver) Resolve(endpoints []telemetry.Endpoint) []telemetry.Resolution {
	answers := make([]telemetry.Resolution, len(endpoints))
	o := r.objects.Load()
	if o == nil {
		for i := range answers {
			answers[i].Reason = telemetry.NoObjects
		}
		return answers
	}
	s := newSearch(o)
	for i, e := range endpoints {
		switch e.Kind {
		case telemetry.WorkloadEndpoint:
			answers[i] = workload(e.Workload())
		case telemetry.PodEndpoint:
			answers[i] = o.pod(e)
		case telemetry.ReplicaSetEndpoint:
			answers[i] = o.replicaSet(e)
		case telemetry.JobEndpoint:
			answers[i] = workload(flowgraph.WorkloadID{Namespace: e.Namespace, Name: kube.CronJobOf(e.Name)})
		case telemetry.ServiceEndpoint:
			s.service(e, &answers[i])
		case telemetry.AppEndpoint:
			s.labelled(e, &answers[i])
		case telemetry.AddressEndpoint:
			s.address(e, &answers[i])
		case telemetry.ConsulServiceEndpoint:
			s.consul.ask(s, e, &answers[i])
		}
	}
	s.run()
	return answers
}

// workload is the answer that is one workload.
func workload(id flowgraph.WorkloadID) telemetry.Resolution {
	return telemetry.Resolution{Shares: []telemetry.Share{{Workload: id, Part: 1}}}
}

// without is the answer that there is none, for a reason.
func without(reason telemetry.Reason) telemetry.Resolution {
	return telemetry.Resolution{Reason: reason}
}

// pod finds the workload of a pod. Whether it is ready does not matter: it has exchanged
// the traffic.
func (o *objects) pod(e telemetry.Endpoint) telemetry.Resolution {
	pod, err := o.pods.Pods(e.Namespace).Get(e.Name)
	if err != nil { // of a lister: it is not there
		return without(telemetry.UnknownObject)
	}
	return workload(kube.WorkloadOf(pod))
}

// replicaSet finds the workload of the pods that a ReplicaSet makes.
func (o *objects) replicaSet(e telemetry.Endpoint) telemetry.Resolution {
	rs, err := o.replicaSets.ReplicaSets(e.Namespace).Get(e.Name)
	if err != nil {
		return without(telemetry.UnknownObject)
	}
	return workload(kube.WorkloadOf(kube.PodOf(rs, "ReplicaSet", &rs.Spec.Template, rs.Spec.Selector)))
}

// serves reports whether a pod takes calls to its Services.
func (o *objects) serves(pod *corev1.Pod) bool {
	if pod.Spec.NodeName == "" || !kube.IsPeer(pod) {
		return false
	}
	node, err := o.nodes.Get(pod.Spec.NodeName)
	if err != nil {
		node = nil // not known
	}
	return kube.Serves(pod, node)
}

// shares are the workloads of pods by how many of the pods they have.
func shares(pods map[flowgraph.WorkloadID]int) []telemetry.Share {
	all := 0
	for _, n := range pods {
		all += n
	}
	result := make([]telemetry.Share, 0, len(pods))
	for id, n := range pods {
		result = append(result, telemetry.Share{Workload: id, Part: float64(n) / float64(all)})
	}
	slices.SortFunc(result, func(a, b telemetry.Share) int {
		return cmp.Or(a.Workload.Compare(b.Workload), cmp.Compare(a.Part, b.Part))
	})
	return result
}
