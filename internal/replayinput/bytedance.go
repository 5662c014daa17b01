// Package replayinput reads what a replay starts from: edge lists, assignments
// and the published format of ByteDance's clusters. It reads from an io.Reader,
// names the file in its errors, and returns what it had to leave out as warnings;
// it opens nothing and logs nothing. Kubernetes objects are internal/kube's
// business.
package replayinput

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
	"github.com/vicinity-sched/vicinity/internal/filekind"
)

// The published clusters are normalised: all CPU, all memory and all traffic are
// 1. They are read as a cluster of these amounts, to the nearest millicore and
// byte: 96 machines of 64 cores and 256 GiB on average. The smallest request of
// the cluster M3 is 98 millicores then, so that rounding moves none by more than
// half a percent, and the utilisation of the whole by less than 0.01 points.
const (
	byteDanceMilliCPU       = 6_144_000
	byteDanceMemory         = 24 << 40
	byteDanceBytesPerSecond = 1 << 30

	// byteDanceNamespace holds all services.
	byteDanceNamespace = "bytedance"
	// byteDanceMaxPods is what a machine takes. The data have no such limit; the
	// fullest machine of M3 runs 73.
	byteDanceMaxPods = 1000
	// maxByteDanceBytes is a thousand times the size of M3.
	maxByteDanceBytes = 256 << 20
)

type byteDance struct {
	ServiceList []struct {
		Service       string
		RequestCPU    float64 // of each container
		RequestMem    float64
		ContainerList []string
		// CompatibleMachines is "*" or a list of machines.
		CompatibleMachines json.RawMessage
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

// ReadByteDance reads a cluster of github.com/bytedance/research-cluster-dataset,
// with the production assignment in Assigned. Traffic has no direction there: it
// is read as sent by Service1 to Service2. A pair that is there twice, in
// whatever order, is added up; a service's traffic with itself becomes a
// self-flow. Neither occurs in the cluster M3. A [sim.Cluster] cannot hold that
// a service may run on some machines only; that becomes a warning.
func ReadByteDance(r io.Reader, file string) (*cluster.Cluster, []Warning, error) {
	text, err := readAll(r, file, maxByteDanceBytes)
	if err != nil {
		return nil, nil, err
	}
	if err := checkByteDance(text, file); err != nil {
		return nil, nil, err
	}
	var data byteDance
	if err := json.Unmarshal(text, &data); err != nil {
		return nil, nil, jsonError(file, text, err)
	}
	b := byteDanceCluster{
		Cluster: &cluster.Cluster{Assigned: make(cluster.Assignment, len(data.ServiceList))},
		service: map[string]int{}, owner: map[string]int{},
	}
	if len(data.ServiceList) == 0 || len(data.MachineList) == 0 {
		return nil, nil, fmt.Errorf("%s: the file has no ServiceList or no MachineList, which a cluster of ByteDance's dataset has; "+
			"see vicinity replay --help for the inputs there are", file)
	}
	for _, read := range []func(*byteDance) error{b.services, b.machines, b.traffic} {
		if err := read(&data); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", file, err)
		}
	}
	if err := b.Validate(); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", file, err)
	}
	return b.Cluster, b.warnings(&data), nil
}

func readAll(r io.Reader, file string, limit int64) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, limit+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: %w", file, err)
	case int64(len(text)) > limit:
		return nil, fmt.Errorf("%s: is larger than %d bytes", file, limit)
	}
	return text, nil
}

// checkByteDance says what a file is that is none of the inputs of a replay.
func checkByteDance(text []byte, file string) error {
	f := filekind.Of(text)
	if err := f.Refuse(file, "an input of vicinity replay", filekind.ByteDance); err != nil {
		return err
	}
	if f.Kind == filekind.Unknown && !bytes.HasPrefix(bytes.TrimSpace(text), []byte("{")) {
		return fmt.Errorf("%s: the file is no input of vicinity replay, which takes a recording, a Prometheus data directory, an edge list (.csv) "+
			"or a cluster of ByteDance's dataset; see vicinity replay --help", file)
	}
	return nil
}

// jsonError names the line of an error where it has one.
func jsonError(file string, text []byte, err error) error {
	var offset int64
	if syntax := new(json.SyntaxError); errors.As(err, &syntax) {
		offset = syntax.Offset
	} else if wrong := new(json.UnmarshalTypeError); errors.As(err, &wrong) {
		offset = wrong.Offset
		err = fmt.Errorf("%s: cannot be a %s", cmp.Or(wrong.Field, "the file"), wrong.Value)
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || strings.Contains(err.Error(), "unexpected end of JSON input") {
		err = errors.New("the file ends in the middle of an object: it is cut off")
	}
	line := 1 + bytes.Count(text[:min(int(offset), len(text))], []byte("\n"))
	return fmt.Errorf("%s:%d: %w", file, line, err)
}

// byteDanceCluster is what has been read of a cluster.
type byteDanceCluster struct {
	*cluster.Cluster
	service           map[string]int // position by name
	owner             map[string]int // position of the service by container
	restricted, twice int
}

func (b *byteDanceCluster) services(data *byteDance) error {
	for i, s := range data.ServiceList {
		at := fmt.Sprintf("ServiceList[%d] (%s)", i, s.Service)
		if err := checkName(s.Service); err != nil {
			return fmt.Errorf("%s: Service: %w", at, err)
		}
		requests, err := resources("Request", s.RequestCPU, s.RequestMem)
		if err != nil {
			return fmt.Errorf("%s: %w", at, err)
		}
		anywhere, err := runsAnywhere(s.CompatibleMachines)
		if err != nil {
			return fmt.Errorf("%s: CompatibleMachines: %w", at, err)
		}
		if !anywhere {
			b.restricted++
		}
		b.Workloads = append(b.Workloads, cluster.Workload{
			ID:       flowgraph.WorkloadID{Namespace: byteDanceNamespace, Name: s.Service},
			Replicas: int32(len(s.ContainerList)), Requests: requests,
		})
		b.service[s.Service] = i
		for _, container := range s.ContainerList {
			if _, twice := b.owner[container]; twice {
				return fmt.Errorf("%s: ContainerList: %q is a container already", at, container)
			}
			b.owner[container] = i
		}
	}
	return nil
}

// runsAnywhere reads the machines that a service may run on: "*" or a list.
func runsAnywhere(machines json.RawMessage) (bool, error) {
	var all string
	if json.Unmarshal(machines, &all) == nil && all == "*" {
		return true, nil
	}
	var some []string
	if err := json.Unmarshal(machines, &some); err != nil || len(some) == 0 {
		return false, errors.New(`must be "*" or a list of machines`)
	}
	return false, nil
}

func (b *byteDanceCluster) machines(data *byteDance) error {
	runsOn := map[string]int{}
	for i, m := range data.MachineList {
		at := fmt.Sprintf("MachineList[%d] (%s)", i, m.MachineIP)
		if err := checkName(m.MachineIP); err != nil {
			return fmt.Errorf("%s: MachineIP: %w", at, err)
		}
		has, err := resources("Total", m.TotalCPU, m.TotalMem)
		if err != nil {
			return fmt.Errorf("%s: %w", at, err)
		}
		if has.MilliCPU == 0 || has.Memory == 0 {
			return fmt.Errorf("%s: TotalCPU and TotalMem must be more than 0", at)
		}
		b.Nodes = append(b.Nodes, cluster.Node{
			Locality: locality.Locality{Node: m.MachineIP}, Allocatable: has, MaxPods: byteDanceMaxPods,
		})
		for _, container := range m.InitialDeployingContainers {
			service, known := b.owner[container]
			if !known {
				return fmt.Errorf("%s: InitialDeployingContainers: %q belongs to no service", at, container)
			}
			if other, twice := runsOn[container]; twice {
				return fmt.Errorf("%s: InitialDeployingContainers: %q is in MachineList[%d] already", at, container, other)
			}
			runsOn[container] = i
			b.Assigned[service] = append(b.Assigned[service], int32(i))
		}
	}
	return nil
}

func (b *byteDanceCluster) traffic(data *byteDance) error {
	edges := map[[2]int]int{} // position by the services' positions, the lower first
	for i, t := range data.TrafficList {
		at := fmt.Sprintf("TrafficList[%d] (%s, %s)", i, t.Service1, t.Service2)
		from, known1 := b.service[t.Service1]
		to, known2 := b.service[t.Service2]
		if !known1 || !known2 {
			return fmt.Errorf("%s: the services must be in ServiceList", at)
		}
		if err := checkShare(t.Traffic); err != nil {
			return fmt.Errorf("%s: Traffic: %w", at, err)
		}
		rate := t.Traffic * byteDanceBytesPerSecond
		pair := [2]int{min(from, to), max(from, to)}
		if first, twice := edges[pair]; twice {
			b.Edges[first].SentBytesPerSecond += rate
			b.twice++
			continue
		}
		edges[pair] = len(b.Edges)
		b.Edges = append(b.Edges, flowgraph.Edge{
			From: b.Workloads[from].ID, To: b.Workloads[to].ID, Rates: flowgraph.Rates{SentBytesPerSecond: rate},
		})
	}
	return nil
}

func (b *byteDanceCluster) warnings(data *byteDance) []Warning {
	nowhere := len(b.owner)
	for _, pods := range b.Assigned {
		nowhere -= len(pods)
	}
	warnings := counted(
		Warning{"services may run on some machines only, which is not kept", b.restricted},
		Warning{"entries of TrafficList name a pair that was there before and are added to it", b.twice},
		Warning{"containers run on no machine", nowhere},
	)
	var cpu, memory, traffic float64
	for _, m := range data.MachineList {
		cpu, memory = cpu+m.TotalCPU, memory+m.TotalMem
	}
	for _, t := range data.TrafficList {
		traffic += t.Traffic
	}
	off := map[string]float64{"TotalCPU": cpu, "TotalMem": memory, "Traffic": traffic}
	var names []string
	for _, name := range []string{"TotalCPU", "TotalMem", "Traffic"} {
		if math.Abs(off[name]-1) > 1e-6 {
			names = append(names, fmt.Sprintf("%s (%.3g)", name, off[name]))
		}
	}
	return append(warnings, counted(Warning{"fields do not add up to 1: " + strings.Join(names, ", "), len(names)})...)
}

// resources scales the shares of the cluster in two fields, whose names begin
// with prefix.
func resources(prefix string, cpu, memory float64) (cluster.Resources, error) {
	if err := checkShare(cpu); err != nil {
		return cluster.Resources{}, fmt.Errorf("%sCPU: %w", prefix, err)
	}
	if err := checkShare(memory); err != nil {
		return cluster.Resources{}, fmt.Errorf("%sMem: %w", prefix, err)
	}
	return cluster.Resources{
		MilliCPU: int64(math.Round(cpu * byteDanceMilliCPU)),
		Memory:   int64(math.Round(memory * byteDanceMemory)),
	}, nil
}

func checkShare(v float64) error {
	if !(v >= 0 && v <= 1) {
		return fmt.Errorf("%v must be from 0 to 1", v)
	}
	return nil
}
