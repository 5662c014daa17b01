package replayinput

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
	"github.com/vicinity-sched/vicinity/flowgraph/cut"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
)

const small = `{
"ServiceList": [
 {"Service": "S0", "RequestCPU": 0.125, "RequestMem": 0.25, "ContainerList": ["C0", "C1"], "CompatibleMachines": "*"},
 {"Service": "S1", "RequestCPU": 0.0000001, "RequestMem": 0, "ContainerList": ["C2"], "CompatibleMachines": "*"}
],
"MachineList": [
 {"MachineIP": "0.0.0.0", "TotalCPU": 0.75, "TotalMem": 0.5, "InitialDeployingContainers": ["C0", "C2"]},
 {"MachineIP": "0.0.0.1", "TotalCPU": 0.25, "TotalMem": 0.5, "InitialDeployingContainers": ["C1"]}
],
"TrafficList": [
 {"Service1": "S1", "Service2": "S0", "Traffic": 1}
]
}`

func TestReadByteDance(t *testing.T) {
	c, warnings, err := ReadByteDance(strings.NewReader(small), "f.json")
	if err != nil || len(warnings) > 0 {
		t.Fatal(err, warnings)
	}
	s0, s1 := flowgraph.WorkloadID{Namespace: "bytedance", Name: "S0"}, flowgraph.WorkloadID{Namespace: "bytedance", Name: "S1"}
	want := &cluster.Cluster{
		Nodes: []cluster.Node{
			{Locality: locality.Locality{Node: "0.0.0.0"}, Allocatable: cluster.Resources{MilliCPU: 4_608_000, Memory: 12 << 40}, MaxPods: 1000},
			{Locality: locality.Locality{Node: "0.0.0.1"}, Allocatable: cluster.Resources{MilliCPU: 1_536_000, Memory: 12 << 40}, MaxPods: 1000},
		},
		Workloads: []cluster.Workload{
			{ID: s0, Replicas: 2, Requests: cluster.Resources{MilliCPU: 768_000, Memory: 6 << 40}},
			{ID: s1, Replicas: 1, Requests: cluster.Resources{MilliCPU: 1}},
		},
		Assigned: cluster.Assignment{{0, 1}, {0}},
		Edges:    []flowgraph.Edge{{From: s1, To: s0, Rates: flowgraph.Rates{SentBytesPerSecond: 1 << 30}}},
	}
	if !reflect.DeepEqual(c, want) {
		t.Errorf("got  %+v\nwant %+v", c, want)
	}
}

func TestReadByteDanceWarnings(t *testing.T) {
	cases := map[string]struct {
		old, new string
		want     []Warning
		// wantEdges are "from to share".
		wantEdges []string
	}{
		"a list of machines": {
			`"C1"], "CompatibleMachines": "*"`, `"C1"], "CompatibleMachines": ["0.0.0.1"]`,
			[]Warning{{"services may run on some machines only, which is not kept", 1}},
			[]string{"S1 S0 1"},
		},
		"a container on no machine": {`["C0", "C2"]`, `["C2"]`, []Warning{{"containers run on no machine", 1}}, []string{"S1 S0 1"}},
		"a pair twice": {
			`"Traffic": 1}`, `"Traffic": 0.5}, {"Service1": "S0", "Service2": "S1", "Traffic": 0.25}, {"Service1": "S1", "Service2": "S0", "Traffic": 0.25}`,
			[]Warning{{"entries of TrafficList name a pair that was there before and are added to it", 2}},
			[]string{"S1 S0 1"},
		},
		"a service with itself": {`"Traffic": 1}`, `"Traffic": 0.5}, {"Service1": "S0", "Service2": "S0", "Traffic": 0.5}`, nil, []string{"S1 S0 0.5", "S0 S0 0.5"}},
		"a part of a cluster": {
			`"Traffic": 1}`, `"Traffic": 0.5}`,
			[]Warning{{"fields do not add up to 1: Traffic (0.5)", 1}},
			[]string{"S1 S0 0.5"},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, warnings, err := ReadByteDance(strings.NewReader(replaceOnce(t, c.old, c.new)), "f.json")
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(warnings, c.want) {
				t.Errorf("warnings %q, want %q", warnings, c.want)
			}
			var edges []string
			for _, e := range got.Edges {
				edges = append(edges, fmt.Sprint(e.From.Name, " ", e.To.Name, " ", e.BytesPerSecond()/(1<<30)))
			}
			if !slices.Equal(edges, c.wantEdges) {
				t.Errorf("edges %q, want %q", edges, c.wantEdges)
			}
		})
	}
}

// replaceOnce changes small.
func replaceOnce(t *testing.T, before, after string) string {
	t.Helper()
	if strings.Count(small, before) != 1 {
		t.Fatalf("%q is in the text %d times", before, strings.Count(small, before))
	}
	return strings.Replace(small, before, after, 1)
}

func TestReadByteDanceErrors(t *testing.T) {
	cases := map[string]struct{ old, new, want string }{
		"not JSON":             {small, "{\n\"ServiceList\": [\n}", "f.json:3: invalid character '}' looking for beginning of value"},
		"cut":                  {small, "{\n\"ServiceList\": [\n", "f.json:3: the file ends in the middle of an object: it is cut off"},
		"more after the end":   {small, small + "\n{}", "f.json:14: invalid character '{' after top-level value"},
		"another type":         {`0.125`, `"0.125"`, "f.json:3: ServiceList.RequestCPU: cannot be a string"},
		"nothing":              {small, "{}", "f.json: the file has no ServiceList or no MachineList, which a cluster of ByteDance's dataset has; see vicinity replay --help for the inputs there are"},
		"no name":              {`"Service": "S0"`, `"Service": ""`, "f.json: ServiceList[0] (): Service: a name is empty"},
		"a slash":              {`"Service": "S0"`, `"Service": "S/0"`, "f.json: ServiceList[0] (S/0): Service: a name has a slash, a space or an unprintable character"},
		"a service twice":      {`"Service": "S0"`, `"Service": "S1"`, "f.json: TrafficList[0] (S1, S0): the services must be in ServiceList"},
		"CPU below 0":          {`0.125`, `-0.125`, "f.json: ServiceList[0] (S0): RequestCPU: -0.125 must be from 0 to 1"},
		"memory above 1":       {`"RequestMem": 0.25`, `"RequestMem": 1.25`, "f.json: ServiceList[0] (S0): RequestMem: 1.25 must be from 0 to 1"},
		"machine above 1":      {`"TotalCPU": 0.75`, `"TotalCPU": 75`, "f.json: MachineList[0] (0.0.0.0): TotalCPU: 75 must be from 0 to 1"},
		"a machine of nothing": {`"TotalCPU": 0.75`, `"TotalCPU": 0`, "f.json: MachineList[0] (0.0.0.0): TotalCPU and TotalMem must be more than 0"},
		"a machine twice":      {`0.0.0.1`, `0.0.0.0`, "f.json: two nodes are called 0.0.0.0"},
		"no machine name":      {`0.0.0.1`, ``, "f.json: MachineList[1] (): MachineIP: a name is empty"},
		"no containers":        {`"ContainerList": ["C2"]`, `"ContainerList": []`, `f.json: MachineList[0] (0.0.0.0): InitialDeployingContainers: "C2" belongs to no service`},
		"a container twice":    {`"ContainerList": ["C2"]`, `"ContainerList": ["C1"]`, `f.json: ServiceList[1] (S1): ContainerList: "C1" is a container already`},
		"a container runs twice": {
			`["C0", "C2"]`, `["C0", "C1"]`,
			`f.json: MachineList[1] (0.0.0.1): InitialDeployingContainers: "C1" is in MachineList[0] already`,
		},
		"may run nowhere":         {`"C1"], "CompatibleMachines": "*"`, `"C1"], "CompatibleMachines": []`, `f.json: ServiceList[0] (S0): CompatibleMachines: must be "*" or a list of machines`},
		"may run on a riddle":     {`"C1"], "CompatibleMachines": "*"`, `"C1"], "CompatibleMachines": "?"`, `f.json: ServiceList[0] (S0): CompatibleMachines: must be "*" or a list of machines`},
		"may run where not said":  {`"C1"], "CompatibleMachines": "*"`, `"C1"]`, `f.json: ServiceList[0] (S0): CompatibleMachines: must be "*" or a list of machines`},
		"traffic of the unknown":  {`"Service2": "S0"`, `"Service2": "S2"`, "f.json: TrafficList[0] (S1, S2): the services must be in ServiceList"},
		"negative traffic":        {`"Traffic": 1`, `"Traffic": -1`, "f.json: TrafficList[0] (S1, S0): Traffic: -1 must be from 0 to 1"},
		"more traffic than there": {`"Traffic": 1`, `"Traffic": 1e300`, "f.json: TrafficList[0] (S1, S0): Traffic: 1e+300 must be from 0 to 1"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, _, err := ReadByteDance(strings.NewReader(replaceOnce(t, c.old, c.new)), "f.json")
			if err == nil {
				t.Fatal("accepted")
			}
			if err.Error() != c.want {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}

func TestReadAll(t *testing.T) {
	if text, err := readAll(strings.NewReader("12345"), "f", 5); err != nil || string(text) != "12345" {
		t.Errorf("got %q, %v", text, err)
	}
	if _, err := readAll(strings.NewReader("123456"), "f", 5); err == nil || err.Error() != "f: is larger than 5 bytes" {
		t.Errorf("got %v", err)
	}
}

func FuzzReadByteDance(f *testing.F) {
	f.Add([]byte(small))
	f.Add([]byte(strings.ReplaceAll(small, `"*"`, `["0.0.0.0"]`)))
	f.Add([]byte(strings.ReplaceAll(small, "0.25", "1e400")))
	f.Add([]byte("null"))
	if text, err := os.ReadFile(filepath.Join(m3, "M3.json")); err == nil {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		c, warnings, err := ReadByteDance(strings.NewReader(string(text)), "f.json")
		if err != nil {
			if !strings.HasPrefix(err.Error(), "f.json:") {
				t.Errorf("an error without the file: %v", err)
			}
			return
		}
		if err := c.Validate(); err != nil {
			t.Errorf("accepted: %v", err)
		}
		for _, w := range warnings {
			if w.Count <= 0 {
				t.Errorf("a warning of nothing: %v", w)
			}
		}
		cut.Measure(c, c.Assigned, nil)
	})
}
