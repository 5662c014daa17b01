package condition

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
)

// text is a finding in one line.
func text(fs []telemetry.Finding) string {
	var all []string
	for _, f := range fs {
		line := f.Text()
		if f.Setting != "" {
			line += " | " + f.Setting + " = " + f.Value
		}
		if f.Stops {
			line += " | stops"
		}
		all = append(all, line)
	}
	return strings.Join(all, "\n")
}

func TestBytes(t *testing.T) {
	cases := map[string]struct {
		of    int
		lacks []Lack
		want  string
	}{
		"nothing lacks":             {3, []Lack{{"in", 3, 0}, {"out", 3, 0}}, ""},
		"no pairs":                  {0, []Lack{{"in", 0, 0}}, ""},
		"no series":                 {3, []Lack{{"in", 0, 3}, {"out", 0, 3}}, "in and out have no series, but 3 pairs of workloads exchange requests"},
		"one metric without series": {1, []Lack{{"in", 0, 1}, {"out", 5, 0}}, "in has no series, but 1 pair of workloads exchanges requests"},
		"some pairs":                {5, []Lack{{"in", 3, 2}, {"out", 5, 0}}, "2 of 5 pairs of workloads that exchange requests lack in"},
		"both":                      {5, []Lack{{"in", 0, 5}, {"out", 3, 2}}, "in has no series, but 5 pairs of workloads exchange requests; 2 of 5 pairs of workloads that exchange requests lack out"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := text(Bytes("requests", tc.of, tc.lacks, "look")); got != tc.want {
				t.Errorf("%s, want %s", got, tc.want)
			}
		})
	}
}

func TestClusters(t *testing.T) {
	set := func(names ...string) map[string]bool {
		all := map[string]bool{}
		for _, n := range names {
			all[n] = true
		}
		return all
	}
	many := set()
	for i := range 12 {
		many[fmt.Sprintf("c%02d", i)] = true
	}
	cases := map[string]struct {
		found []telemetry.Finding
		want  string
	}{
		"one":                   {MeshClusters(set("a")), ""},
		"two":                   {MeshClusters(set("b", "a")), "pairs of workloads name 2 clusters, and cluster is not set (a, b) | cluster = a | stops"},
		"many":                  {MeshClusters(many), "pairs of workloads name 12 clusters, and cluster is not set (c00, c01, c02, c03, c04, c05, c06, c07, and 4 more) | cluster = c00 | stops"},
		"one label":             {ClusterLabel("cluster", set(""), 0, ""), ""},
		"two labels, same pair": {ClusterLabel("cluster", set("", "west"), 1, `a="b",`), "1 pair of workloads has series under 2 values of the label cluster (none, west) | selector = a=\"b\",cluster=\"west\" | stops"},
		"two labels":            {ClusterLabel("cluster", set("x", "y"), 0, ""), "the series have 2 values of the label cluster, each for other pairs of workloads (x, y) | selector = cluster=\"x\""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := text(tc.found); got != tc.want {
				t.Errorf("%s, want %s", got, tc.want)
			}
		})
	}
}

// labels implements telemetry.Labels; it is written "pod=a job=b".
type labels string

func (l labels) Get(name string) string {
	for field := range strings.FieldsSeq(string(l)) {
		if value, ok := strings.CutPrefix(field, name+"="); ok {
			return value
		}
	}
	return ""
}

func TestProxies(t *testing.T) {
	cases := map[string]struct {
		series []labels
		want   string
	}{
		"nobody":               {nil, ""},
		"one proxy":            {[]labels{"pod=a namespace=n instance=1:15020 job=x", "pod=a namespace=n instance=1:15020 job=x"}, ""},
		"two proxies":          {[]labels{"pod=a namespace=n instance=1:15020 job=x", "pod=b namespace=n instance=2:15020 job=y"}, ""},
		"pods of one name":     {[]labels{"pod=a namespace=n job=x", "pod=a namespace=m job=y"}, ""},
		"clusters":             {[]labels{"pod=a namespace=n job=x cluster=1", "pod=a namespace=n job=y cluster=2"}, ""},
		"a pod twice":          {[]labels{"pod=a namespace=n job=x", "pod=a namespace=n job=y", "pod=b namespace=n job=x"}, "1 proxy has series under 2 values of the label job (x, y) | selector = s=\"1\",job=\"x\""},
		"an address twice":     {[]labels{"instance=1:15020 job=x", "instance=1:15090 job=y"}, "1 proxy has series under 2 values of the label job (x, y) | selector = s=\"1\",job=\"x\""},
		"an IPv6 address":      {[]labels{"instance=[fd00::1]:15020 job=x", "instance=[fd00::1]:15090 job=y"}, "1 proxy has series under 2 values of the label job (x, y) | selector = s=\"1\",job=\"x\""},
		"a node's name":        {[]labels{"instance=node-1 job=x", "instance=node-1 job=y"}, "1 proxy has series under 2 values of the label job (x, y) | selector = s=\"1\",job=\"x\""},
		"pod_name":             {[]labels{"pod_name=a namespace=n replica=x", "pod_name=a namespace=n replica=y"}, "1 proxy has series under 2 values of the label replica (x, y) | selector = s=\"1\",replica=\"x\""},
		"one without a label":  {[]labels{"pod=a namespace=n", "pod=a namespace=n prometheus=y"}, "1 proxy has series under 2 values of the label prometheus (none, y) | selector = s=\"1\",prometheus=\"y\""},
		"job and replica":      {[]labels{"pod=a job=x replica=1", "pod=a job=y replica=2"}, "1 proxy has series under 2 values of the label replica (1, 2) | selector = s=\"1\",replica=\"1\"\n1 proxy has series under 2 values of the label job (x, y) | selector = s=\"1\",job=\"x\""},
		"the host's network":   {[]labels{"pod=a instance=1:15020 job=x", "pod=b instance=1:15020 job=y"}, ""},
		"nobody knows who":     {[]labels{"job=x", "job=y"}, ""},
		"a workload is known":  {[]labels{"who=web job=x", "who=web job=y", "who=db job=x"}, "1 proxy or workload has series under 2 values of the label job (x, y) | selector = s=\"1\",job=\"x\""},
		"most have the second": {[]labels{"pod=a job=x", "pod=a job=y", "pod=b job=y", "pod=b job=z"}, "2 proxies have series under 3 values of the label job (x, y, z) | selector = s=\"1\",job=\"y\""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			p := Proxies{Who: func(l telemetry.Labels) string { return l.Get("who") }}
			for _, l := range tc.series {
				p.Add(l)
			}
			if got := text(p.Findings(`s="1"`)); got != tc.want {
				t.Errorf("%s, want %s", got, tc.want)
			}
		})
	}
}

// FuzzProxies: labels are a tenant's to write. Whatever they say, a proxy that has one
// value of each label is no finding, and the same one under a second value is.
func FuzzProxies(f *testing.F) {
	f.Add("a", "n", "1:15020", "x")
	f.Add("", "", "[::1]:1", "")
	f.Add("\x00", "a b", ":::", "y\"")
	f.Fuzz(func(t *testing.T, pod, namespace, instance, job string) {
		l := fields{"pod": pod, "namespace": namespace, "instance": instance, "job": job}
		p := Proxies{Who: func(telemetry.Labels) string { return "" }}
		p.Add(l)
		p.Add(l)
		if found := p.Findings(""); len(found) > 0 {
			t.Errorf("found %v", found)
		}
		p.Add(fields{"pod": pod, "namespace": namespace, "instance": instance, "job": job + "2"})
		if known := pod != "" || hostOf(instance) != ""; known != (len(p.Findings("")) == 1) {
			t.Errorf("a second job: %v", p.Findings(""))
		}
	})
}

type fields map[string]string

func (f fields) Get(name string) string { return f[name] }

func TestLabels(t *testing.T) {
	cases := map[string]struct {
		labels []Label
		share  float64
		want   string
	}{
		"none": {[]Label{{"a", 0}, {"b", 0}}, 0, ""},
		"one":  {[]Label{{"a", 0}, {"b", 3}}, 0.25, "label b is missing from 3 of 10 series, 2.0 KiB/s, 25.0 %"},
		"two":  {[]Label{{"a", 10}, {"b", 3}}, 0.0001, "label a is missing from 10 of 10 series and label b is missing from 3 of 10 series, 2.0 KiB/s, less than 0.1 %"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := ""
			for _, f := range Labels(tc.labels, 10, 2048, tc.share, "look") {
				_, amount, _ := strings.Cut(f.Why, "left out: ")
				got = f.What + ", " + strings.TrimSuffix(amount, " of all that is reported")
			}
			if got != tc.want {
				t.Errorf("%s, want %s", got, tc.want)
			}
		})
	}
}

// since is a server whose data begin at a time; it fails after so many queries.
type since struct {
	from, to time.Time
	fails    int
	asked    *int
}

func (s since) Query(_ context.Context, _ string, at time.Time, yield func(telemetry.Series) error) error {
	if *s.asked++; s.fails > 0 && *s.asked >= s.fails {
		return errors.New("too busy")
	}
	if at.Before(s.from) || at.After(s.to) {
		return nil
	}
	return yield(telemetry.Series{Value: 1})
}

// TestReach looks for the beginning of data of any age: what it finds is short of the
// truth by at most a 32nd of the window, and it asks eight times at most.
func TestReach(t *testing.T) {
	at := time.Unix(1_000_000, 0)
	for _, window := range []time.Duration{5 * time.Second, time.Minute, 5 * time.Minute, time.Hour} {
		for age := time.Duration(0); age <= window+time.Minute; age += window / 50 {
			asked := 0
			r, err := Find(t.Context(), since{at.Add(-age), at, 0, &asked}, "m", "q", at, window)
			if err != nil {
				t.Fatal(err)
			}
			if age >= window {
				if r.Back != window || asked != 1 {
					t.Errorf("window %v, data of %v: %+v after %d queries", window, age, r, asked)
				}
				continue
			}
			if precise := max(window/precision, time.Second); r.Back > age || r.Beyond < age || r.Beyond-r.Back > precise || asked > 8 {
				t.Errorf("window %v, data of %v: %+v after %d queries", window, age, r, asked)
			}
		}
	}
	asked := 0
	if r, err := Find(t.Context(), since{at.Add(time.Hour), at, 0, &asked}, "m", "q", at, time.Minute); err != nil || r.Back != time.Minute {
		t.Errorf("no data at all: %+v, %v", r, err)
	}
	for fails := range 3 {
		asked = 0
		if _, err := Find(t.Context(), since{at.Add(-20 * time.Second), at, fails + 1, &asked}, "m", "q", at, time.Minute); err == nil {
			t.Errorf("query %d fails unnoticed", fails+1)
		}
	}
}

func TestYoung(t *testing.T) {
	at := time.Unix(1_000_000, 0)
	cases := map[string]struct {
		reaches []Reach
		want    string
		until   time.Duration
	}{
		"nothing":  {nil, "", 0},
		"old":      {[]Reach{{"a", 5 * time.Minute, 5 * time.Minute}}, "", 0},
		"young":    {[]Reach{{"a", 80 * time.Second, 90 * time.Second}}, "a reaches back about 1m20s, less than the window of 5m | window = 1m", 210 * time.Second},
		"just now": {[]Reach{{"a", 0, 9 * time.Second}}, "a reaches back about 0s, less than the window of 5m", 291 * time.Second},
		"the youngest counts": {
			[]Reach{{"a", 5 * time.Minute, 5 * time.Minute}, {"b", 20 * time.Second, 29 * time.Second}, {"c", 20 * time.Second, 25 * time.Second}, {"d", 2 * time.Minute, 2 * time.Minute}},
			"b and c reach back about 20s, less than the window of 5m", 275 * time.Second,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			found := Young(at, 5*time.Minute, tc.reaches)
			if diff := cmp.Diff(tc.want, text(found)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if len(found) == 1 && found[0].Until.Sub(at) != tc.until {
				t.Errorf("until %v, want %v", found[0].Until.Sub(at), tc.until)
			}
		})
	}
}

func TestWaypoints(t *testing.T) {
	cases := map[string]struct {
		pairs, unseen int
		nothing       bool
		want          string
	}{
		"none":         {0, 0, true, ""},
		"others too":   {5, 0, false, ""},
		"some":         {5, 2, false, "2 pairs of workloads are reported only by waypoints (ambient mode), of 5 that waypoints report"},
		"nothing else": {1, 1, true, `only waypoints report (ambient mode): 1 pair of workloads with reporter="waypoint", none with reporter="source" or "destination"`},
	}
	for name, tc := range cases {
		if got := text(Waypoints(tc.pairs, tc.unseen, tc.nothing, "scrape ztunnel")); got != tc.want {
			t.Errorf("%s: %s, want %s", name, got, tc.want)
		}
	}
}
