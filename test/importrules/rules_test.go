package importrules

import "strings"

// A rule forbids imports to some packages. Packages are named by prefix: a
// path stands for itself and everything below it.
type rule struct {
	name    string   // as a violation shows it
	because string   // what would go wrong
	of      []string // the packages that the rule binds ...
	except  []string // ... but for these

	forbid []string // what they must not import
	permit []string // what they may import although it is below a forbidden path
	// only, when set, is all that they may import besides the standard library.
	only []string

	// linked looks also at what the imports import, and so on: at all that a
	// program with the package in it links.
	linked bool
	// tests binds test files too, by what they import themselves.
	tests bool
}

const (
	flowgraph       = module + "/flowgraph"
	telemetry       = flowgraph + "/telemetry"
	recording       = flowgraph + "/recording"
	simulation      = flowgraph + "/sim"
	plugins         = module + "/plugins"
	sandbox         = module + "/internal/sandbox"
	promtest        = module + "/internal/promtest"
	telemetryTest   = telemetry + "/telemetrytest"
	kubesim         = module + "/internal/kubesim"
	kubeObjects     = module + "/internal/kube/objects"
	kubeHistory     = module + "/internal/kube/history"
	replay          = module + "/internal/replay"
	replayInput     = module + "/internal/replayinput"
	report          = module + "/internal/report"
	explain         = module + "/internal/explain"
	doctor          = module + "/internal/doctor"
	recorder        = module + "/internal/recorder"
	recordingFile   = module + "/internal/recordingfile"
	schedulerConfig = module + "/internal/schedulerconfig"
	nodeChanges     = module + "/internal/nodechanges"
	promFind        = module + "/internal/promfind"
	cmd             = module + "/cmd"
	scheduler       = cmd + "/vicinity-scheduler"
	cli             = cmd + "/vicinity"
	sandboxCmd      = cmd + "/vicinity-sandbox"
	tests           = module + "/test"
	kubernetes      = "k8s.io/kubernetes"
	apiserver       = kubernetes + "/cmd/kube-apiserver"
	controlplane    = kubernetes + "/pkg/controlplane"
	etcd            = "go.etcd.io/etcd/server"
	kwok            = "sigs.k8s.io/kwok"
	prometheus      = "github.com/prometheus/prometheus"
	compress        = "github.com/klauspost/compress"
)

// table is every rule but R2's about sources, which depends on which there are:
// see sourceRules. .golangci.yaml repeats what it can, so that editors show a
// violation while it is typed; this table is what counts.
var table = []rule{
	{
		name:    "R1",
		because: "the core must run anywhere (scheduler, CLI, replay, tests) and survive every Kubernetes minor",
		of:      []string{flowgraph}, except: []string{telemetry},
		only: []string{flowgraph, compress}, linked: true,
	},
	{
		name:    "R1",
		because: "only recordings are compressed",
		of:      []string{flowgraph}, except: []string{telemetry, recording},
		forbid: []string{compress},
	},
	{
		name:    "R1",
		because: "the core does no I/O and does not log: callers open files and log what it returns",
		of:      []string{flowgraph}, except: []string{telemetry},
		forbid: []string{"log", "net", "os", "syscall"},
	},
	{
		name:    "R2",
		because: "telemetry is read from a metrics server, of a cluster or of a recording; there may be no Kubernetes at all",
		of:      []string{telemetry},
		forbid:  []string{"k8s.io", "sigs.k8s.io"}, linked: true, tests: true,
	},
	{
		name:    "R3",
		because: "a plugin needs k8s.io/kube-scheduler/framework only, whose interfaces are stable",
		of:      []string{plugins},
		forbid:  []string{kubernetes}, linked: true,
	},
	{
		name:    "R3",
		because: "what a Kubernetes minor can break stays in few places",
		of:      []string{module}, except: []string{plugins, scheduler, schedulerConfig, nodeChanges, sandboxCmd, kubesim, sandbox, tests},
		forbid: []string{kubernetes}, tests: true,
	},
	{
		name:    "R4",
		because: "programs and the tests of the whole are the top: what two of them need belongs in internal",
		of:      []string{module}, except: []string{tests},
		forbid: []string{cmd, tests}, tests: true,
	},
	{
		name:    "R4",
		because: "programs are tested from outside, as users run them",
		of:      []string{tests},
		forbid:  []string{cmd}, tests: true,
	},
	{
		name:    "R4",
		because: "it links an API server and etcd",
		of:      []string{module}, except: []string{sandbox, sandboxCmd, tests},
		forbid: []string{sandbox}, tests: true,
	},
	{
		name:    "R4",
		because: "it links the PromQL engine and package testing, for tests",
		of:      []string{module}, except: []string{promtest, tests},
		forbid: []string{promtest},
	},
	{
		name:    "R4",
		because: "it links package testing, for tests",
		of:      []string{module}, except: []string{telemetryTest, tests},
		forbid: []string{telemetryTest},
	},
	{
		name:    "R5",
		because: "a scheduler without a cluster, a database and a query engine in it is small and has little to patch",
		of:      []string{scheduler},
		forbid:  []string{apiserver, controlplane, etcd, kwok, prometheus}, linked: true,
	},
	{
		name:    "R5",
		because: "what records, replays, reports and finds its way into a cluster is the CLI's; internal/kube itself has only what a scheduler needs",
		of:      []string{scheduler},
		forbid: []string{
			simulation, recording, recorder, recordingFile, kubesim, kubeObjects, kubeHistory, replay, replayInput, report, explain, doctor, promFind,
		},
		linked: true,
	},
	{
		name:    "the CLI's size",
		because: "replay needs the scheduler framework and a query engine, not a cluster",
		of:      []string{cli},
		forbid:  []string{apiserver, controlplane, etcd, kwok}, linked: true,
	},
}

// planned are packages of the design that the table speaks of before they
// exist.
var planned = []string{replay, report}

// notSources are the packages below telemetry that sources may share.
var notSources = []string{telemetry + "/promapi", telemetry + "/condition", telemetry + "/tally", telemetryTest}

// sourceRules returns the rule for each telemetry source that it imports no
// other. Every package below telemetry is a source unless notSources says
// otherwise, so that a new one is bound from the start; what a source has below
// itself is its own.
func sourceRules(g graph) []rule {
	var sources []string
	for _, p := range g.own() {
		below, ok := strings.CutPrefix(p.path, telemetry+"/")
		if !ok || under(p.path, notSources) {
			continue
		}
		first, _, _ := strings.Cut(below, "/")
		sources = union(sources, []string{telemetry + "/" + first})
	}
	var rules []rule
	for _, s := range sources {
		rules = append(rules, rule{
			name:    "R2",
			because: "sources stay independent: what they share belongs in telemetry or in a package of notSources",
			of:      []string{s},
			forbid:  sources, permit: []string{s},
			linked: true,
		})
	}
	return rules
}
