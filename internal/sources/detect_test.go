package sources_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry/telemetrytest"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry/telemetrytest/istiomesh"
	"github.com/vicinity-sched/vicinity/internal/promtest"
	"github.com/vicinity-sched/vicinity/internal/sources"
	v1 "github.com/vicinity-sched/vicinity/plugins/config/v1"
)

// meshesByType are the meshes in which the types must be detected. Every type that is not the
// user's own has one.
func meshesByType() map[v1.SourceType][]telemetrytest.Mesh {
	all := map[v1.SourceType][]telemetrytest.Mesh{
		v1.SourceIstioSidecar: {istiomesh.Sidecars(), istiomesh.Ambient(), istiomesh.Mixed()},
		"caretta":             {caretta()},
		"linkerd":             {linkerd(true), linkerd(false)},
		"consul":              {consul()},
		"kuma":                {kuma(func(p telemetrytest.Pod) string { return fmt.Sprintf("%s_%s_svc_80", p.Workload, p.Namespace) })},
		"osm":                 {osm()},
	}
	for kind, mesh := range agentMeshes() {
		all[kind] = append(all[kind], mesh)
	}
	return all
}

// TestEveryTypeIsDetected: of each type's own metrics, the type is the only answer.
func TestEveryTypeIsDetected(t *testing.T) {
	all, err := sources.All()
	if err != nil {
		t.Fatal(err)
	}
	meshes := meshesByType()
	for _, kind := range all {
		if kind.IsCustom() {
			continue
		}
		if len(meshes[kind.Name]) == 0 {
			t.Errorf("type %s: give it its mesh in meshesByType, so that it can be seen to be detected", kind.Name)
		}
		for i, mesh := range meshes[kind.Name] {
			t.Run(fmt.Sprint(kind.Name, " ", i), func(t *testing.T) {
				q, at := telemetrytest.Steady(t, promtest.Engine, mesh)
				got := detect(t, q, at, "")
				if answers := typesOf(got.Answers()); !slices.Equal(answers, []v1.SourceType{kind.Name}) {
					t.Errorf("the answers are %v", answers)
				}
				f := got.Answers()[0]
				if f.Named == 0 || f.Named > f.Pairs || f.Series() == 0 {
					t.Errorf("%d of %d pairs are named, of %d series", f.Named, f.Pairs, f.Series())
				}
				d, err := f.Details(t.Context(), q, at)
				if err != nil || d.Age != 0 || len(d.Jobs) != 1 || d.Jobs[0].Name != "pods" || d.Jobs[0].Targets < 2 {
					t.Errorf("the details are %+v, %v", d, err)
				}
			})
		}
	}
}

// TestRecordingsAreDetected: what programs have exposed is of one type each.
func TestRecordingsAreDetected(t *testing.T) {
	for name, r := range recordings() {
		t.Run(name, func(t *testing.T) {
			got := detect(t, promtest.New(t, exposedBy(t, r.paths()...)), time.Unix(90, 0), "")
			if answers := typesOf(got.Answers()); !slices.Equal(answers, []v1.SourceType{r.kind}) {
				t.Errorf("the answers are %v, want %s", answers, r.kind)
			}
		})
	}
}

func detect(t *testing.T, q telemetry.Querier, at time.Time, selector string) *sources.Detected {
	t.Helper()
	d, err := sources.Detect(t.Context(), q, at, selector)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func typesOf(found []sources.Found) []v1.SourceType {
	var all []v1.SourceType
	for _, f := range found {
		all = append(all, f.Type.Name)
	}
	return all
}

const (
	obiSeries     = `obi_network_flow_bytes_total{direction="request",k8s_src_owner_type="Deployment",k8s_src_namespace="shop",k8s_src_owner_name="web",k8s_dst_owner_type="Deployment",k8s_dst_namespace="shop",k8s_dst_owner_name="api",job="obi",instance="a:1"} 0+100x20`
	obiOutside    = `obi_network_flow_bytes_total{direction="request",job="obi",instance="a:1"} 0+100x20`
	carettaSeries = `caretta_links_observed{role="1",client_kind="Deployment",client_namespace="shop",client_name="web",server_kind="Service",server_namespace="shop",server_name="api",job="caretta",instance="b:1"} 0+100x20`
	istioRequests = `istio_requests_total{reporter="source",source_workload_namespace="shop",source_workload="web",destination_workload_namespace="shop",destination_workload="api"} 0+100x20`
	retinaOld     = `networkobservability_adv_forward_bytes{direction="INGRESS",source_workload_name="web",job="retina"} 0+100x20`
	carettaGone   = `caretta_links_observed{role="1",client_kind="Deployment",job="caretta"} 0+100x5`
)

// TestDetect finds types or says what is there instead.
func TestDetect(t *testing.T) {
	cases := map[string]struct {
		series   string
		selector string
		found    []v1.SourceType
		answers  []v1.SourceType
		near     []string
		byteless int
	}{
		"nothing":                        {series: `up{job="x"} 1x20`},
		"one":                            {series: obiSeries, found: []v1.SourceType{"obi"}, answers: []v1.SourceType{"obi"}},
		"two":                            {series: obiSeries + "\n" + carettaSeries, found: []v1.SourceType{"caretta", "obi"}, answers: []v1.SourceType{"caretta", "obi"}},
		"two, of which one is selected":  {series: obiSeries + "\n" + carettaSeries, selector: `job="obi"`, found: []v1.SourceType{"obi"}, answers: []v1.SourceType{"obi"}},
		"one that names no ends":         {series: obiOutside, found: []v1.SourceType{"obi"}, answers: []v1.SourceType{"obi"}},
		"one names, one does not":        {series: obiOutside + "\n" + carettaSeries, found: []v1.SourceType{"caretta", "obi"}, answers: []v1.SourceType{"caretta"}},
		"one without its labels":         {series: retinaOld, near: []string{"networkobservability_adv_forward_bytes 1 [retina] old false"}},
		"one that is gone":               {series: carettaGone, near: []string{"caretta_links_observed 1 [caretta] old true"}},
		"requests alone":                 {series: istioRequests, found: []v1.SourceType{"istio-sidecar"}, answers: []v1.SourceType{"istio-sidecar"}},
		"requests, and bytes of another": {series: istioRequests + "\n" + obiSeries, found: []v1.SourceType{"istio-sidecar", "obi"}, answers: []v1.SourceType{"obi"}},
		"what counts no bytes":           {series: `hubble_flows_processed_total{source="web"} 0+1x20`, byteless: 1},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			q := promtest.New(t, "load 30s\n  "+strings.ReplaceAll(tc.series, "\n", "\n  "))
			at := time.Unix(600, 0)
			got := detect(t, q, at, tc.selector)
			if diff := cmp.Diff(tc.found, typesOf(got.Found)); diff != "" {
				t.Errorf("found (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.answers, typesOf(got.Answers())); diff != "" {
				t.Errorf("the answers (-want +got):\n%s", diff)
			}
			var near []string
			if len(got.Answers()) == 0 {
				all, err := got.Nearly(t.Context(), q, at, tc.selector)
				if err != nil {
					t.Fatal(err)
				}
				for _, n := range all {
					near = append(near, fmt.Sprint(n.Name, " ", n.Series, " ", n.Types, " old ", n.Old))
				}
			}
			if diff := cmp.Diff(tc.near, near); diff != "" {
				t.Errorf("nearly (-want +got):\n%s", diff)
			}
			if why, err := sources.Byteless(t.Context(), q, at); err != nil || len(why) != tc.byteless {
				t.Errorf("without bytes: %q, %v", why, err)
			}
		})
	}
}

// TestDetails: samples age, and jobs have targets.
func TestDetails(t *testing.T) {
	older := strings.ReplaceAll(strings.ReplaceAll(obiSeries, `"a:1"`, `"a:2"`), "x20", "x18")
	q := promtest.New(t, "load 30s\n  "+obiSeries+"\n  "+older+"\n  "+strings.ReplaceAll(obiSeries, `job="obi"`, `job="other"`))
	at := time.Unix(690, 0) // 90 s after the last sample
	got, err := detect(t, q, at, "").Answers()[0].Details(t.Context(), q, at)
	want := sources.Details{Age: 90 * time.Second, Jobs: []sources.Job{{Name: "obi", Targets: 2}, {Name: "other", Targets: 1}}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

// counting counts queries and fails those that contain a text.
type counting struct {
	telemetry.Querier
	queries int
	fail    string
}

func (c *counting) Query(ctx context.Context, query string, at time.Time, yield func(telemetry.Series) error) error {
	c.queries++
	if c.fail != "" && strings.Contains(query, c.fail) {
		return errors.New("out of order")
	}
	return c.Querier.Query(ctx, query, at, yield)
}

// TestDetectIsCheap: one query for each metric, and one for the ends of those that are there.
func TestDetectIsCheap(t *testing.T) {
	q := &counting{Querier: promtest.New(t, "load 30s\n  "+obiSeries+"\n  "+strings.ReplaceAll(obiSeries, "request", "response"))}
	d := detect(t, q, time.Unix(600, 0), "")
	metrics := 0
	for _, looked := range d.Looked {
		metrics += len(looked)
	}
	if q.queries != metrics+1 || metrics < 6 {
		t.Errorf("%d queries for %d metrics, of which one is there", q.queries, metrics)
	}
}

// TestDetectFails: an answer that is missing is not an answer.
func TestDetectFails(t *testing.T) {
	for _, fail := range []string{"count(caretta", "sum by"} {
		q := &counting{Querier: promtest.New(t, "load 30s\n  "+obiSeries), fail: fail}
		d, err := sources.Detect(t.Context(), q, time.Unix(600, 0), "")
		if err == nil || !strings.Contains(err.Error(), "out of order") || !strings.Contains(err.Error(), "what sources read (type ") {
			t.Errorf("%s: %+v, %v", fail, d, err)
		}
	}
}

func TestUnknown(t *testing.T) {
	for name, want := range map[v1.SourceType]string{
		"hubble": "not bytes", "Cilium": "not bytes", "istio": "of type istio-sidecar", "ztunnel": "of type istio-sidecar", "x": "", "": "",
	} {
		if got := sources.Unknown(name); (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("%q: %q", name, got)
		}
	}
}

// crowd is a server with ever so many pairs of ends of OBI's metric.
type crowd struct {
	pairs   int
	names   bool  // they have names
	then    error // when all have been yielded
	yielded int
}

func (c *crowd) Query(_ context.Context, query string, _ time.Time, yield func(telemetry.Series) error) error {
	switch {
	case !strings.Contains(query, "obi_network"):
		return nil
	case strings.HasPrefix(query, "count("):
		return yield(telemetry.Series{Labels: labels.EmptyLabels(), Value: float64(c.pairs)})
	}
	l := labels.EmptyLabels()
	if c.names {
		l = labels.FromStrings("k8s_src_owner_type", "Deployment", "k8s_src_namespace", "shop", "k8s_src_owner_name", "web",
			"k8s_dst_owner_type", "Deployment", "k8s_dst_namespace", "shop", "k8s_dst_owner_name", "api")
	}
	for range c.pairs {
		c.yielded++
		if err := yield(telemetry.Series{Labels: l, Value: 1}); err != nil {
			return err
		}
	}
	return c.then
}

// TestDetectIsBounded: no more pairs are looked at than it takes.
func TestDetectIsBounded(t *testing.T) {
	tooLarge := &telemetry.QueryError{Failure: telemetry.TooLarge, Err: errors.New("too many series")}
	for name, tc := range map[string]struct {
		server  crowd
		yielded int
		named   int
	}{
		"named":             {crowd{pairs: 1_000_000, names: true}, 10_000, 10_000},
		"none is named":     {crowd{pairs: 150_000}, 2 * 100_000, 0}, // of both directions
		"more than allowed": {crowd{pairs: 50, names: true, then: tooLarge}, 50, 50},
	} {
		t.Run(name, func(t *testing.T) {
			d := detect(t, &tc.server, time.Unix(600, 0), "")
			if f := d.Found[0]; tc.server.yielded > tc.yielded || f.Named != tc.named {
				t.Errorf("%d pairs were looked at, %d are named, want at most %d and %d", tc.server.yielded, f.Named, tc.yielded, tc.named)
			}
		})
	}
}
