package telemetry

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestEndpointIsValid(t *testing.T) {
	cases := map[Endpoint]bool{
		{Namespace: "shop", Name: "web"}:                                              true,
		{Namespace: "shop"}:                                                           false,
		{Name: "web"}:                                                                 false,
		{Namespace: "Shop", Name: "web"}:                                              false,
		{Kind: ServiceEndpoint, Namespace: "shop", Name: "web"}:                       true,
		{Kind: ServiceEndpoint, Name: "web"}:                                          true,
		{Kind: ServiceEndpoint}:                                                       false,
		{Kind: PodEndpoint, Name: "web-1"}:                                            false,
		{Kind: PodEndpoint, Namespace: "shop", Name: "web-1"}:                         true,
		{Kind: AppEndpoint, Namespace: "shop", Name: "app.kubernetes.io/name=web"}:    true,
		{Kind: AppEndpoint, Namespace: "shop", Name: "app="}:                          false,
		{Kind: AppEndpoint, Namespace: "shop", Name: "web"}:                           false,
		{Kind: AppEndpoint, Namespace: "shop", Name: "a=" + strings.Repeat("b", 400)}: false,
		{Kind: AddressEndpoint, Name: "10.0.0.1"}:                                     true,
		{Kind: AddressEndpoint, Name: "fd00::1"}:                                      true,
		{Kind: AddressEndpoint, Name: "10.0.0.1:80"}:                                  false,
		{Kind: AddressEndpoint, Namespace: "shop", Name: "10.0.0.1"}:                  false,
	}
	for e, want := range cases {
		if e.IsValid() != want {
			t.Errorf("%+v is valid: %v, want %v", e, !want, want)
		}
	}
}

// objects are the endpoints that a Resolver knows.
type objects map[Endpoint]Resolution

func (o objects) Resolve(endpoints []Endpoint) []Resolution {
	var all []Resolution
	for _, e := range endpoints {
		r, ok := o[e]
		if !ok {
			r.Reason = UnknownObject
		}
		all = append(all, r)
	}
	return all
}

// TestRemember: a pod that has gone is known while it is asked for now and then.
func TestRemember(t *testing.T) {
	pod, service := Endpoint{Kind: PodEndpoint, Namespace: "shop", Name: "web-1"}, Endpoint{Kind: ServiceEndpoint, Namespace: "shop", Name: "web"}
	is := Resolution{Shares: []Share{{web, 1}}}
	there := objects{pod: is, service: is}
	r := Remember(there)
	steps := []struct {
		gone  bool
		ask   Endpoint
		times int
		want  Reason
	}{
		{false, pod, 1, Included},
		{false, service, 1, Included},
		{true, service, 1, UnknownObject},
		{true, pod, 20, Included},
		{true, service, 9, UnknownObject},
		{true, pod, 1, Included},
		{true, service, 10, UnknownObject},
		{true, pod, 1, UnknownObject},
		{false, pod, 1, Included},
	}
	for i, step := range steps {
		clear(there)
		if !step.gone {
			there[pod], there[service] = is, is
		}
		for range step.times {
			got := r.Resolve([]Endpoint{step.ask})
			if want := (Resolution{Reason: step.want}); step.want == Included && !cmp.Equal(got[0], is) || step.want != Included && !cmp.Equal(got[0], want) {
				t.Errorf("step %d: %+v, want %v", i, got[0], step.want)
			}
		}
	}
}
