package mesh

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	networkingv1 "istio.io/client-go/pkg/apis/networking/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
)

// rulesInterval is how often DestinationRules are read.
const rulesInterval = time.Second

// readRules reads the DestinationRules, where the API server has the kind and the
// mesh's proxies follow them. Of them
// the mesh follows those that stand beside their Service and name it alone, and in
// these localityLbSetting, zoneAwareLbSetting and outlierDetection, for all ports.
func (m *Mesh) readRules(ctx context.Context) {
	if !m.counters.kind.readRules {
		return
	}
	server := m.client.Discovery().RESTClient()
	if server == nil { // that of a fake client
		return
	}
	text, err := server.Get().AbsPath("/apis/networking.istio.io/v1/destinationrules").DoRaw(ctx)
	if err != nil && !apierrors.IsNotFound(err) {
		return // as it was a moment ago
	}
	var list struct {
		Items []*networkingv1.DestinationRule `json:"items"`
	}
	if err == nil && json.Unmarshal(text, &list) != nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.setRules(list.Items)
}

func (m *Mesh) setRules(rules []*networkingv1.DestinationRule) {
	m.rules = map[flowgraph.WorkloadID]*networkingv1.DestinationRule{}
	for _, r := range rules {
		name := strings.TrimSuffix(r.Spec.Host, "."+r.Namespace+".svc.cluster.local")
		m.rules[flowgraph.WorkloadID{Namespace: r.Namespace, Name: name}] = r
	}
}

// failover returns the labels by which Istio orders endpoints under a rule: none is
// by none. decides is false when the rule leaves it to the Service, which may prefer
// something itself.
func failover(r *networkingv1.DestinationRule, preferring bool) (labels []string, decides bool) {
	if r == nil || r.Spec.TrafficPolicy == nil {
		return nil, false
	}
	byLocality := []string{corev1.LabelTopologyRegion, corev1.LabelTopologyZone}
	policy := r.Spec.TrafficPolicy
	if policy.LoadBalancer == nil || policy.LoadBalancer.LocalityLbSetting == nil {
		return byLocality, policy.OutlierDetection != nil && !preferring
	}
	switch s := policy.LoadBalancer.LocalityLbSetting; {
	case policy.OutlierDetection == nil, s.Enabled != nil && !s.Enabled.Value:
		return nil, true
	case len(s.FailoverPriority) > 0:
		return s.FailoverPriority, true
	}
	return byLocality, true
}

// nearest returns the endpoints that share the most of the labels with the client,
// counted up to the first that they do not share.
func nearest(labels []string, client locality.Locality, endpoints []locality.Locality) []int {
	var best []int
	most := -1
	for i, endpoint := range endpoints {
		shared := 0
		for shared < len(labels) && value(labels[shared], client) == value(labels[shared], endpoint) {
			shared++
		}
		if shared > most {
			best, most = nil, shared
		}
		if shared == most {
			best = append(best, i)
		}
	}
	return best
}

// value is that of a label of all pods at a locality; "" where they have none.
func value(label string, at locality.Locality) string {
	switch label {
	case corev1.LabelHostname:
		return at.Node
	case corev1.LabelTopologyZone:
		return at.Zone
	case corev1.LabelTopologyRegion:
		return at.Region
	default:
		return ""
	}
}
