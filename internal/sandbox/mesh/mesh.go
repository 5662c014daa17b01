// Package mesh simulates a service mesh of a chosen Type over the pods of a real
// API server: a call graph says who asks what of which Service, the Services'
// routing policies and the pods' real nodes say which pod answers, and the
// standard metrics of the proxies at both ends of each call come out. No byte is
// sent.
package mesh

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	networkingv1 "istio.io/client-go/pkg/apis/networking/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
	"github.com/vicinity-sched/vicinity/internal/kube"
)

// step is how often the counters move.
const step = 250 * time.Millisecond

// Mesh is a simulated mesh.
type Mesh struct {
	now      func() time.Time
	client   kubernetes.Interface
	factory  informers.SharedInformerFactory
	pods     corelisters.PodLister
	services corelisters.ServiceLister
	nodes    corelisters.NodeLister
	synced   []cache.InformerSynced

	mu       sync.Mutex
	calls    []Call
	rules    map[flowgraph.WorkloadID]*networkingv1.DestinationRule // by Service
	counters counters
}

// New returns a mesh whose counters stand still until Run.
func New(client kubernetes.Interface, kind Type, calls []Call, now func() time.Time) *Mesh {
	factory := informers.NewSharedInformerFactory(client, 0)
	core := factory.Core().V1()
	m := &Mesh{
		now: now, client: client, factory: factory, counters: newCounters(kind),
		pods: core.Pods().Lister(), services: core.Services().Lister(), nodes: core.Nodes().Lister(),
		synced: []cache.InformerSynced{
			core.Pods().Informer().HasSynced, core.Services().Informer().HasSynced, core.Nodes().Informer().HasSynced,
		},
	}
	m.SetCalls(calls)
	return m
}

// SetCalls replaces the call graph. Counters keep their values.
func (m *Mesh) SetCalls(calls []Call) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls = slices.Clone(calls)
}

// Run lets traffic flow until ctx ends.
func (m *Mesh) Run(ctx context.Context) error {
	m.factory.Start(ctx.Done())
	defer m.factory.Shutdown()
	if !cache.WaitForCacheSync(ctx.Done(), m.synced...) {
		return fmt.Errorf("watching the cluster: %w", ctx.Err())
	}
	ticker := time.NewTicker(step)
	defer ticker.Stop()
	rules := time.NewTicker(rulesInterval)
	defer rules.Stop()
	last := m.now()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-rules.C:
			m.readRules(ctx)
			continue
		case <-ticker.C:
		}
		now := m.now()
		if err := m.advance(now.Sub(last)); err != nil {
			return err
		}
		last = now
	}
}

// endpoint is a pod that takes part in calls.
type endpoint struct {
	pod      *corev1.Pod
	workload flowgraph.WorkloadID
	at       locality.Locality
}

// advance lets traffic flow for dt.
func (m *Mesh) advance(dt time.Duration) error {
	all, err := m.pods.List(labels.Everything())
	if err != nil {
		return fmt.Errorf("listing pods: %w", err)
	}
	nodes, err := m.nodes.List(labels.Everything())
	if err != nil {
		return fmt.Errorf("listing nodes: %w", err)
	}
	live := map[objectKey]bool{}
	for _, node := range nodes {
		live[objectKey{name: node.Name}] = true
	}
	var ready []endpoint
	clients := map[flowgraph.WorkloadID][]endpoint{}
	for _, pod := range all {
		live[objectKey{pod.Namespace, pod.Name}] = true
		if !isReady(pod) {
			continue
		}
		e := endpoint{pod: pod, workload: kube.WorkloadOf(pod), at: m.localityOf(pod)}
		ready = append(ready, e)
		clients[e.workload] = append(clients[e.workload], e)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.counters.keep(dt, live)
	for _, call := range m.calls {
		m.call(call, dt, clients, ready)
	}
	return nil
}

func (m *Mesh) localityOf(pod *corev1.Pod) locality.Locality {
	node, err := m.nodes.Get(pod.Spec.NodeName)
	if err != nil {
		return locality.Locality{Node: pod.Spec.NodeName}
	}
	return kube.LocalityOf(node)
}

func isReady(pod *corev1.Pod) bool {
	if pod.DeletionTimestamp != nil || pod.Spec.NodeName == "" {
		return false
	}
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

// call lets one call of the graph flow for dt. Nothing flows while no client or
// no endpoint is ready.
func (m *Mesh) call(call Call, dt time.Duration, clients map[flowgraph.WorkloadID][]endpoint, ready []endpoint) {
	requests := call.RequestsPerSecond * dt.Seconds()
	amount := func(requests float64) traffic {
		return traffic{requests: requests, sent: requests * call.RequestBytes, received: requests * call.ResponseBytes}
	}
	if host, ok := strings.CutPrefix(call.To, External+":"); ok {
		from, _ := name(call.From)
		for _, client := range clients[from] {
			m.counters.outbound(client, host, call.Protocol, amount(requests/float64(len(clients[from]))))
		}
		return
	}
	target, _ := name(call.To)
	service, err := m.services.Services(target.Namespace).Get(target.Name)
	if err != nil || len(service.Spec.Selector) == 0 {
		return
	}
	servers, places := endpointsOf(service, ready)
	if len(servers) == 0 {
		return
	}
	if call.From == External {
		for _, server := range servers {
			m.counters.inbound(server, target, call.Protocol, amount(requests/float64(len(servers))))
		}
		return
	}
	from, _ := name(call.From)
	var calling []locality.Locality
	for _, client := range clients[from] {
		calling = append(calling, client.at)
	}
	for _, client := range clients[from] {
		for i, part := range m.divide(service, client.at, calling, places) {
			if part > 0 {
				m.counters.between(client, servers[i], target, call.Protocol, amount(requests/float64(len(clients[from]))*part))
			}
		}
	}
}

func endpointsOf(service *corev1.Service, ready []endpoint) (servers []endpoint, places []locality.Locality) {
	selector := labels.SelectorFromSet(service.Spec.Selector)
	for _, e := range ready {
		if e.pod.Namespace == service.Namespace && selector.Matches(labels.Set(e.pod.Labels)) {
			servers = append(servers, e)
			places = append(places, e.at)
		}
	}
	return servers, places
}
