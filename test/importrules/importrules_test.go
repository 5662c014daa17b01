package importrules

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestImportRules(t *testing.T) {
	g := loadModule(t)
	rules := slices.Concat(table, sourceRules(g))
	for _, v := range check(g, rules) {
		t.Error(v)
	}
	for _, prefix := range dead(g, rules, planned, notSources...) {
		t.Errorf("the table names %s, but there is no package of that path or below it: has it been renamed?", prefix)
	}
	for _, r := range rules {
		if r.name == "" || r.because == "" || len(r.of) == 0 || len(r.forbid)+len(r.only) == 0 {
			t.Errorf("a rule without name, reason, packages or anything forbidden: %+v", r)
		}
	}
}

// A small module that keeps every rule. "->" are imports, "~>" those of tests;
// M is the path of the module.
const lawful = `
M/flowgraph -> fmt time
M/flowgraph/cut -> M/flowgraph M/flowgraph/affinity
M/flowgraph/affinity -> math
M/flowgraph/recording -> M/flowgraph github.com/klauspost/compress/zstd io
M/flowgraph/sim -> M/flowgraph/recording
M/flowgraph/telemetry -> M/flowgraph net/http
M/flowgraph/telemetry ~> M/internal/promtest M/flowgraph/telemetry/istio
M/flowgraph/telemetry/promapi -> M/flowgraph/telemetry github.com/prometheus/client_golang/api
M/flowgraph/telemetry/condition -> M/flowgraph/telemetry
M/flowgraph/telemetry/tally -> M/flowgraph/telemetry M/flowgraph/telemetry/condition
M/flowgraph/telemetry/istio -> M/flowgraph/telemetry M/flowgraph/telemetry/promapi M/flowgraph/telemetry/condition M/flowgraph/telemetry/istio/labels
M/flowgraph/telemetry/istio/labels -> strings
M/flowgraph/telemetry/linkerd -> M/flowgraph/telemetry
M/flowgraph/telemetry/linkerd ~> M/flowgraph/telemetry/telemetrytest M/internal/promtest
M/flowgraph/telemetry/telemetrytest -> M/flowgraph/telemetry testing
M/plugins/trafficlocality -> M/flowgraph M/internal/kube k8s.io/kube-scheduler/framework
M/plugins/trafficlocality ~> M/plugins/trafficlocality k8s.io/kubernetes/pkg/scheduler/framework
M/internal/kube -> M/flowgraph k8s.io/api/core/v1
M/internal/kube ~> M/internal/kube/history
M/internal/kube/objects -> M/internal/kube k8s.io/api/core/v1
M/internal/kube/history -> M/internal/kube/objects M/flowgraph/sim M/flowgraph/recording
M/internal/recordingfile -> M/flowgraph/recording os
M/internal/recorder -> M/flowgraph/recording M/internal/kube/objects
M/internal/promfind -> M/flowgraph/telemetry/promapi k8s.io/api/core/v1
M/internal/replayinput -> M/flowgraph
M/internal/report -> M/flowgraph/sim
M/internal/replay -> M/internal/kubesim M/internal/kube/history M/internal/replayinput
M/internal/explain -> M/internal/kubesim M/internal/kube/history
M/internal/doctor -> M/internal/kube/objects github.com/prometheus/client_golang/api
M/internal/schedulerconfig -> k8s.io/kubernetes/cmd/kube-scheduler/app/options
M/internal/nodechanges -> k8s.io/kubernetes/pkg/scheduler/framework
M/internal/kubesim -> k8s.io/kubernetes/pkg/scheduler/framework M/flowgraph/sim
M/internal/promtest -> github.com/prometheus/prometheus/promql testing
M/internal/sandbox -> k8s.io/kubernetes/cmd/kube-apiserver/app go.etcd.io/etcd/server/v3/embed sigs.k8s.io/kwok/pkg/kwok
M/cmd/vicinity-scheduler -> M/plugins/trafficlocality k8s.io/kubernetes/cmd/kube-scheduler/app
M/cmd/vicinity -> M/internal/promfind M/internal/replay M/internal/explain M/internal/doctor M/internal/report M/internal/recorder M/internal/recordingfile github.com/prometheus/prometheus/promql
M/cmd/vicinity-sandbox -> M/internal/sandbox
M/test/integration ~> M/internal/sandbox M/internal/promtest M/test/integration/env
M/test/integration/env -> M/internal/sandbox
k8s.io/kubernetes/cmd/kube-apiserver/app -> k8s.io/kubernetes/pkg/controlplane
k8s.io/kubernetes/cmd/kube-scheduler/app -> log os syscall
k8s.io/kubernetes/pkg/scheduler/framework -> k8s.io/api/core/v1
k8s.io/kube-scheduler/framework -> k8s.io/api/core/v1
k8s.io/api/core/v1 -> sigs.k8s.io/structured-merge-diff
`

// parse reads the notation of lawful. A path without a dot in its first element
// is of the standard library; what is imported exists.
func parse(text string) graph {
	g := graph{}
	at := func(path string) *pkg {
		if g[path] == nil {
			g[path] = &pkg{path: path, own: strings.HasPrefix(path, module), standard: standard(nil, path)}
		}
		return g[path]
	}
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		for i, f := range fields {
			if rest, ok := strings.CutPrefix(f, "M/"); ok {
				fields[i] = module + "/" + rest
			}
		}
		p := at(fields[0])
		for _, path := range fields[2:] {
			at(path)
		}
		if fields[1] == "~>" {
			p.testImports = union(p.testImports, fields[2:])
		} else {
			p.imports = union(p.imports, fields[2:])
		}
	}
	return g
}

func TestCheckFindsViolations(t *testing.T) {
	cases := map[string]struct {
		add  string // to the lawful module
		want []string
	}{
		"none": {},
		"core imports Kubernetes": {
			add:  "M/flowgraph/cut -> k8s.io/api/core/v1",
			want: []string{"M/flowgraph/cut imports k8s.io/api/core/v1, against R1"},
		},
		"core links Kubernetes through one of ours": {
			add: "M/flowgraph/cut -> M/internal/kube",
			want: []string{
				"M/flowgraph/cut imports M/internal/kube, against R1",
			},
		},
		"core links another module through what it may import": {
			add:  "github.com/klauspost/compress/zstd -> golang.org/x/sys/cpu",
			want: []string{"M/flowgraph/recording links golang.org/x/sys/cpu, against R1"},
		},
		"core compresses elsewhere": {
			add:  "M/flowgraph/sim -> github.com/klauspost/compress/gzip",
			want: []string{"M/flowgraph/sim imports github.com/klauspost/compress/gzip, against R1"},
		},
		"core opens files": {
			add:  "M/flowgraph/recording -> os",
			want: []string{"M/flowgraph/recording imports os, against R1"},
		},
		"core logs": {
			add:  "M/flowgraph -> log/slog",
			want: []string{"M/flowgraph imports log/slog, against R1"},
		},
		"core's tests may do either": {
			add: "M/flowgraph ~> os k8s.io/api/core/v1",
		},
		"a path that only begins alike is another": {
			add: "M/flowgraph -> logarithm network/distance",
		},
		"a package is bound before anything imports it": {
			add:  "M/flowgraph/new -> example.com/new",
			want: []string{"M/flowgraph/new imports example.com/new, against R1"},
		},
		"telemetry imports Kubernetes": {
			add:  "M/flowgraph/telemetry/istio -> sigs.k8s.io/yaml",
			want: []string{"M/flowgraph/telemetry/istio imports sigs.k8s.io/yaml, against R2"},
		},
		"telemetry links Kubernetes": {
			add:  "M/flowgraph/telemetry/promapi -> M/internal/kube",
			want: []string{"M/flowgraph/telemetry/promapi links k8s.io/api/core/v1, against R2"},
		},
		"telemetry's tests import Kubernetes": {
			add:  "M/flowgraph/telemetry/istio ~> k8s.io/api/core/v1",
			want: []string{"M/flowgraph/telemetry/istio imports in a test k8s.io/api/core/v1, against R2"},
		},
		"a source imports another": {
			add:  "M/flowgraph/telemetry/linkerd -> M/flowgraph/telemetry/istio/labels",
			want: []string{"M/flowgraph/telemetry/linkerd imports M/flowgraph/telemetry/istio/labels, against R2"},
		},
		"a source links another": {
			add:  "M/flowgraph/telemetry/linkerd -> M/internal/helper\nM/internal/helper -> M/flowgraph/telemetry/istio",
			want: []string{"M/flowgraph/telemetry/linkerd links M/flowgraph/telemetry/istio, against R2"},
		},
		"a plugin imports k8s.io/kubernetes": {
			add:  "M/plugins/trafficlocality -> k8s.io/kubernetes/pkg/scheduler/framework",
			want: []string{"M/plugins/trafficlocality imports k8s.io/kubernetes/pkg/scheduler/framework, against R3"},
		},
		"a plugin links k8s.io/kubernetes through one of ours": {
			add: "M/internal/kube -> k8s.io/kubernetes/pkg/scheduler/framework",
			want: []string{
				"M/plugins/trafficlocality links k8s.io/kubernetes/pkg/scheduler/framework, against R3",
				"M/internal/kube imports k8s.io/kubernetes/pkg/scheduler/framework, against R3",
			},
		},
		"k8s.io/kubernetes in a fifth place": {
			add:  "M/internal/kube ~> k8s.io/kubernetes/pkg/scheduler/framework",
			want: []string{"M/internal/kube imports in a test k8s.io/kubernetes/pkg/scheduler/framework, against R3"},
		},
		"a program is imported": {
			add:  "M/internal/kube ~> M/cmd/vicinity\nM/test/integration ~> M/cmd/vicinity",
			want: []string{"M/internal/kube imports in a test M/cmd/vicinity, against R4", "M/test/integration imports in a test M/cmd/vicinity, against R4"},
		},
		"a program's external test": {
			add: "M/cmd/vicinity ~> M/cmd/vicinity",
		},
		"test is imported": {
			add:  "M/flowgraph ~> M/test/integration/env",
			want: []string{"M/flowgraph imports in a test M/test/integration/env, against R4"},
		},
		"the sandbox elsewhere": {
			add:  "M/internal/kube ~> M/internal/sandbox",
			want: []string{"M/internal/kube imports in a test M/internal/sandbox, against R4"},
		},
		"promtest outside tests": {
			add:  "M/flowgraph/telemetry -> M/internal/promtest",
			want: []string{"M/flowgraph/telemetry imports M/internal/promtest, against R4"},
		},
		"the conformance suite outside tests": {
			add:  "M/flowgraph/telemetry/istio -> M/flowgraph/telemetry/telemetrytest",
			want: []string{"M/flowgraph/telemetry/istio imports M/flowgraph/telemetry/telemetrytest, against R4"},
		},
		"the scheduler links what it must not": {
			add: "k8s.io/kubernetes/cmd/kube-scheduler/app -> go.etcd.io/etcd/server/v3/embed k8s.io/kubernetes/pkg/controlplane\n" +
				"M/plugins/trafficlocality -> github.com/prometheus/prometheus/promql sigs.k8s.io/kwok/pkg/kwok",
			want: []string{
				"M/cmd/vicinity-scheduler links github.com/prometheus/prometheus/promql, against R5",
				"M/cmd/vicinity-scheduler links sigs.k8s.io/kwok/pkg/kwok, against R5",
				"M/cmd/vicinity-scheduler links go.etcd.io/etcd/server/v3/embed, against R5",
				"M/cmd/vicinity-scheduler links k8s.io/kubernetes/pkg/controlplane, against R5",
			},
		},
		"the scheduler links the replay through internal/kube": {
			add: "M/internal/kube -> M/flowgraph/sim",
			want: []string{
				"M/cmd/vicinity-scheduler links M/flowgraph/sim, against R5",
			},
		},
		"the scheduler records": {
			add:  "M/cmd/vicinity-scheduler -> M/flowgraph/recording",
			want: []string{"M/cmd/vicinity-scheduler imports M/flowgraph/recording, against R5"},
		},
		"a plugin reads cluster files": {
			add:  "M/plugins/trafficlocality -> M/internal/kube/objects",
			want: []string{"M/cmd/vicinity-scheduler links M/internal/kube/objects, against R5"},
		},
		"a plugin's tests may": {
			add: "M/plugins/trafficlocality ~> M/internal/kube/history",
		},
		"the scheduler replays and reports": {
			add: "M/cmd/vicinity-scheduler -> M/internal/replayinput M/internal/report",
			want: []string{
				"M/cmd/vicinity-scheduler imports M/internal/replayinput, against R5",
				"M/cmd/vicinity-scheduler imports M/internal/report, against R5",
			},
		},
		"the CLI links what it must not": {
			add: "M/internal/kubesim -> k8s.io/kubernetes/cmd/kube-apiserver/app go.etcd.io/etcd/server/v3/embed",
			want: []string{
				"M/cmd/vicinity links go.etcd.io/etcd/server/v3/embed, against the CLI's size",
				"M/cmd/vicinity links k8s.io/kubernetes/cmd/kube-apiserver/app, against the CLI's size",
			},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			g := parse(lawful + c.add)
			var got []string
			for _, v := range check(g, slices.Concat(table, sourceRules(g))) {
				line, _, _ := strings.Cut(v.String(), "\n")
				line, reason, ok := strings.Cut(line, ": ")
				if !ok || reason != v.rule.because {
					t.Errorf("%q does not end with the reason %q", line, v.rule.because)
				}
				got = append(got, strings.ReplaceAll(line, module, "M"))
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("violations (-want +got):\n%s", diff)
			}
		})
	}
}

func TestViolationShowsTheChain(t *testing.T) {
	g := parse("M/a -> M/b M/c\nM/b -> M/d\nM/c -> bad.org/x/y\nM/d -> M/c")
	got := check(g, []rule{{name: "R9", because: "it is bad", of: []string{module + "/a"}, forbid: []string{"bad.org/x"}, linked: true}})
	want := "M/a links bad.org/x/y, against R9: it is bad\n\tM/a\n\t-> M/c\n\t-> bad.org/x/y"
	if len(got) != 1 || strings.ReplaceAll(got[0].String(), module, "M") != want {
		t.Errorf("got %v, want %q", got, want)
	}
}

func TestDeadPathsAreFound(t *testing.T) {
	g := parse(lawful)
	rules := slices.Concat(table, sourceRules(g))
	if got := dead(g, rules, nil, notSources...); len(got) != 0 {
		t.Errorf("dead in the lawful module: %v", got)
	}
	rules = append(rules, rule{
		of: []string{module + "/planned/deep", module + "/flowgraf"}, except: []string{module + "/plug"},
		forbid: []string{"k8s.io/kubernetes/cmd/kube-apiservice"}, permit: []string{"oss"}, only: []string{"go.etcd.io/etcd/serv"},
	})
	want := []string{
		module + "/flowgraf", module + "/gone", module + "/plug",
		"go.etcd.io/etcd/serv", "k8s.io/kubernetes/cmd/kube-apiservice", "oss",
	}
	if diff := cmp.Diff(want, dead(g, rules, []string{module + "/planned"}, module+"/gone")); diff != "" {
		t.Errorf("dead paths (-want +got):\n%s", diff)
	}
}
