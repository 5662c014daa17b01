package meshes

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
)

// app is an application whose rates follow from those at its entry.
type app struct {
	name     string
	services []service
	// entry is the requests per second that come from outside, by endpoint.
	entry map[string]float64
	// calls are ordered: those to an endpoint come before those from it.
	calls []call
}

// service becomes a workload.
type service struct {
	name     string
	replicas int32
	milliCPU int64
	mebibyte int64
}

// call is what an endpoint does for each request that it gets. An endpoint is
// the name of a service, or service.method where the methods differ.
type call struct {
	from, to string
	// times is how often, on the average.
	times float64
	// request and response are bytes.
	request, response float64
	// tcp says that a mesh sees bytes only: its telemetry knows no requests of
	// this protocol.
	tcp bool
}

// copiesOf returns clusters of an application in as many namespaces as asked
// for, without nodes. The first copy has the application's own rates; those of
// the others are multiplied by a random factor each, as no two applications of
// a cluster are equally busy.
func copiesOf(a *app, rng *rand.Rand, copies int) (*cluster.Cluster, error) {
	c := &cluster.Cluster{}
	for i := range copies {
		namespace, factor := a.name, 1.0
		if i > 0 {
			namespace, factor = fmt.Sprintf("%s-%d", a.name, i+1), logNormal(rng, 1, busySigma)
		}
		for _, s := range a.services {
			c.Workloads = append(c.Workloads, cluster.Workload{
				ID:       flowgraph.WorkloadID{Namespace: namespace, Name: s.name},
				Replicas: s.replicas,
				Requests: cluster.Resources{MilliCPU: s.milliCPU, Memory: s.mebibyte << 20},
			})
		}
		edges, err := a.edges(namespace, factor)
		if err != nil {
			return nil, err
		}
		c.Edges = append(c.Edges, edges...)
	}
	return c, nil
}

// busySigma lets one copy in six be more than twice as busy as the median.
const busySigma = 0.7

// edges follows the requests from the entry on, and adds up the calls between
// each two services.
func (a *app) edges(namespace string, factor float64) ([]flowgraph.Edge, error) {
	requests := map[string]float64{} // per second, by endpoint
	for endpoint, rate := range a.entry {
		requests[endpoint] = rate * factor
	}
	var edges []flowgraph.Edge
	position, left := map[[2]string]int{}, map[string]bool{}
	for _, call := range a.calls {
		left[call.from] = true
		if left[call.to] {
			return nil, fmt.Errorf("mesh %s: calls from %s stand before one to it", a.name, call.to)
		}
		// The conversions keep the compiler from fusing multiplication and
		// addition on some architectures, which would change the last digit.
		rate := float64(requests[call.from] * call.times)
		requests[call.to] += rate
		pair := [2]string{serviceOf(call.from), serviceOf(call.to)}
		i, known := position[pair]
		if !known {
			i = len(edges)
			position[pair] = i
			edges = append(edges, flowgraph.Edge{
				From: flowgraph.WorkloadID{Namespace: namespace, Name: pair[0]},
				To:   flowgraph.WorkloadID{Namespace: namespace, Name: pair[1]},
			})
		}
		edges[i].SentBytesPerSecond += float64(rate * call.request)
		edges[i].ReceivedBytesPerSecond += float64(rate * call.response)
		if !call.tcp {
			edges[i].RequestsPerSecond += rate
		}
	}
	return edges, nil
}

func serviceOf(endpoint string) string {
	name, _, _ := strings.Cut(endpoint, ".")
	return name
}
