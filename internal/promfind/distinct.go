package promfind

import (
	"cmp"
	"context"
	"slices"

	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// distinct leaves one Service of each server: most installations of Prometheus have two,
// one for its pods' names and one for its users.
func (f *Finder) distinct(ctx context.Context, found []*Found) []*Found {
	if len(found) < 2 {
		return found
	}
	behind := map[*Found]map[string]bool{}
	for _, s := range found {
		behind[s] = f.podsBehind(ctx, s.Service)
	}
	// The best way into each comes first.
	slices.SortStableFunc(found, func(a, b *Found) int {
		return cmp.Or(compareBool(a.headless, b.headless), cmp.Compare(a.rank, b.rank), cmp.Compare(a.Service.String(), b.Service.String()))
	})
	var kept []*Found
	for _, s := range found {
		if !slices.ContainsFunc(kept, func(other *Found) bool { return sameServer(s, other, behind[s], behind[other]) }) {
			kept = append(kept, s)
		}
	}
	return kept
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// sameServer reports whether a Service leads where another one, which is kept, does.
func sameServer(s, kept *Found, pods, keptPods map[string]bool) bool {
	switch {
	case s.Service.Namespace != kept.Service.Namespace || s.system != kept.system:
		return false
	case s.system != prometheus:
		return true
	case pods == nil || keptPods == nil:
		return s.headless // the Service that gives pods their names
	}
	for pod := range pods {
		if keptPods[pod] {
			return true
		}
	}
	return false
}

// podsBehind returns the names of the pods that a Service leads to, nil where they may not be
// read.
func (f *Finder) podsBehind(ctx context.Context, s Service) map[string]bool {
	list, err := f.client.DiscoveryV1().EndpointSlices(s.Namespace).List(ctx, metav1.ListOptions{LabelSelector: discoveryv1.LabelServiceName + "=" + s.Name})
	if err != nil {
		return nil
	}
	pods := map[string]bool{}
	for _, slice := range list.Items {
		for _, e := range slice.Endpoints {
			if e.TargetRef != nil {
				pods[e.TargetRef.Name] = true
			}
		}
	}
	return pods
}
