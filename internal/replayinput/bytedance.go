// Package replayinput reads what a replay starts from: edge lists, assignments
// and the published format of ByteDance's clusters. It reads from an io.Reader
// and names the file in its errors; Kubernetes objects are internal/kube's
// business.
package replayinput

import (
	"encoding/json"
	"fmt"
	"io"
	"math"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
	"github.com/vicinity-sched/vicinity/flowgraph/sim"
)

// The published clusters are normalised: all CPU, all memory and all traffic are
// 1. They are read as a cluster of these amounts. CPU and memory are large
// enough that rounding to millicores and bytes loses nothing that matters.
const (
	byteDanceMilliCPU       = 6_144_000
	byteDanceMemory         = 24 << 40
	byteDanceBytesPerSecond = 1 << 30
	// byteDanceNamespace holds all services.
	byteDanceNamespace = "bytedance"
	// byteDanceMaxPods is above what any published machine holds.
	byteDanceMaxPods = 1000
	maxByteDance     = 256 << 20
)

type byteDance struct {
	ServiceList []struct {
		Service            string
		RequestCPU         float64
		RequestMem         float64
		ContainerList      []string
		CompatibleMachines any
	}
	MachineList []struct {
		MachineIP                  string
		TotalCPU                   float64
		TotalMem                   float64
		InitialDeployingContainers []string
	}
	TrafficList []struct {
		Service1, Service2 string
		Traffic            float64
	}
}

// ReadByteDance reads a cluster of github.com/bytedance/research-cluster-dataset
// with its production assignment. Traffic there has no direction: Service1 is
// taken as the caller. A service that may only run on some machines is an error.
func ReadByteDance(r io.Reader, file string) (*sim.Cluster, error) {
	var data byteDance
	decoder := json.NewDecoder(io.LimitReader(r, maxByteDance))
	if err := decoder.Decode(&data); err != nil {
		return nil, fmt.Errorf("%s: at byte %d: %w", file, decoder.InputOffset(), err)
	}
	c, err := data.cluster()
	if err == nil {
		err = c.Validate()
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return c, nil
}

func (d *byteDance) cluster() (*sim.Cluster, error) {
	c := &sim.Cluster{Assigned: make([][]int32, len(d.ServiceList))}
	owner := map[string]int{}
	position := map[string]int{}
	for i, s := range d.ServiceList {
		if any, ok := s.CompatibleMachines.(string); s.CompatibleMachines != nil && (!ok || any != "*") {
			return nil, fmt.Errorf("ServiceList[%d] (%s): CompatibleMachines: only \"*\" is supported", i, s.Service)
		}
		cpu, err := scale(s.RequestCPU, byteDanceMilliCPU)
		if err != nil {
			return nil, fmt.Errorf("ServiceList[%d] (%s): RequestCPU: %w", i, s.Service, err)
		}
		memory, err := scale(s.RequestMem, byteDanceMemory)
		if err != nil {
			return nil, fmt.Errorf("ServiceList[%d] (%s): RequestMem: %w", i, s.Service, err)
		}
		c.Workloads = append(c.Workloads, sim.Workload{
			ID:       flowgraph.WorkloadID{Namespace: byteDanceNamespace, Name: s.Service},
			Replicas: int32(len(s.ContainerList)), Requests: sim.Resources{MilliCPU: cpu, Memory: memory},
		})
		position[s.Service] = i
		for _, container := range s.ContainerList {
			if _, twice := owner[container]; twice {
				return nil, fmt.Errorf("ServiceList[%d] (%s): container %q belongs to another service too", i, s.Service, container)
			}
			owner[container] = i
		}
	}
	if err := d.machines(c, owner); err != nil {
		return nil, err
	}
	return c, d.traffic(c, position)
}

func (d *byteDance) machines(c *sim.Cluster, owner map[string]int) error {
	seen := map[string]bool{}
	for i, m := range d.MachineList {
		cpu, err := scale(m.TotalCPU, byteDanceMilliCPU)
		if err != nil {
			return fmt.Errorf("MachineList[%d] (%s): TotalCPU: %w", i, m.MachineIP, err)
		}
		memory, err := scale(m.TotalMem, byteDanceMemory)
		if err != nil {
			return fmt.Errorf("MachineList[%d] (%s): TotalMem: %w", i, m.MachineIP, err)
		}
		c.Nodes = append(c.Nodes, sim.Node{
			Locality:    locality.Locality{Node: m.MachineIP},
			Allocatable: sim.Resources{MilliCPU: cpu, Memory: memory}, MaxPods: byteDanceMaxPods,
		})
		for _, container := range m.InitialDeployingContainers {
			w, known := owner[container]
			if !known {
				return fmt.Errorf("MachineList[%d] (%s): container %q belongs to no service", i, m.MachineIP, container)
			}
			if seen[container] {
				return fmt.Errorf("MachineList[%d] (%s): container %q runs on another machine too", i, m.MachineIP, container)
			}
			seen[container] = true
			c.Assigned[w] = append(c.Assigned[w], int32(i))
		}
	}
	return nil
}

func (d *byteDance) traffic(c *sim.Cluster, position map[string]int) error {
	for i, t := range d.TrafficList {
		from, ok1 := position[t.Service1]
		to, ok2 := position[t.Service2]
		if !ok1 || !ok2 {
			return fmt.Errorf("TrafficList[%d]: %q and %q are not both in ServiceList", i, t.Service1, t.Service2)
		}
		if !(t.Traffic >= 0) || math.IsInf(t.Traffic, 0) {
			return fmt.Errorf("TrafficList[%d] (%s to %s): Traffic: %v is negative or no number", i, t.Service1, t.Service2, t.Traffic)
		}
		c.Edges = append(c.Edges, flowgraph.Edge{
			From: c.Workloads[from].ID, To: c.Workloads[to].ID,
			Rates: flowgraph.Rates{SentBytesPerSecond: t.Traffic * byteDanceBytesPerSecond},
		})
	}
	return nil
}

// scale turns a share of the cluster into an amount, to the nearest unit.
func scale(share float64, whole int64) (int64, error) {
	if !(share >= 0 && share <= 1) {
		return 0, fmt.Errorf("%v is not between 0 and 1", share)
	}
	return int64(math.Round(share * float64(whole))), nil
}
