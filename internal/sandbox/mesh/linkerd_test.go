package mesh

import (
	"cmp"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/model"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Each proxy counts what it exchanges with its peer and with the container beside it, and
// that of the client names the called pod.
func TestLinkerdProxies(t *testing.T) {
	cases := map[string]struct {
		assign, calls string
		want          []string // pod, direction, peer, tls, called pod and its owner: bytes written and read
	}{
		"both ends and both sides": {
			assign: "n1: web; n2: db", calls: "web -> db",
			want: []string{
				"web-1 outbound dst true db-1 deployment db: 1000 20000",
				"web-1 outbound src no_identity : 20000 1000",
				"db-1 inbound src true : 20000 1000",
				"db-1 inbound dst no_identity : 1000 20000",
			},
		},
		"pods are told apart, protocols are not": {
			assign: "n1: web; n2: db*2", calls: "web -> db tcp; web -> db tcp",
			want: []string{
				"web-1 outbound dst true db-1 deployment db: 1000 20000",
				"web-1 outbound dst true db-2 deployment db: 1000 20000",
				"web-1 outbound src no_identity : 40000 2000",
				"db-1 inbound src true : 20000 1000",
				"db-1 inbound dst no_identity : 1000 20000",
				"db-2 inbound src true : 20000 1000",
				"db-2 inbound dst no_identity : 1000 20000",
			},
		},
		"outside the mesh": {
			assign: "n1: web; n2: db", calls: "external -> db; web -> external:example.com tcp",
			want: []string{
				"web-1 outbound dst no_identity : 1000 20000",
				"web-1 outbound src no_identity : 20000 1000",
				"db-1 inbound src no_identity : 20000 1000",
				"db-1 inbound dst no_identity : 1000 20000",
			},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			c := newClusterWith(t, Linkerd(), tc.assign, "db", tc.calls)
			c.flow(time.Second)
			got := linkerdLines(scrape(t, c.Mesh))
			slices.Sort(tc.want)
			if diff := gocmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// linkerdLines are the bytes of each series, in order.
func linkerdLines(samples model.Vector) []string {
	bytes := map[string][2]string{}
	for _, s := range samples {
		m := s.Metric
		i := slices.Index([]string{"tcp_write_bytes_total", "tcp_read_bytes_total"}, string(m[model.MetricNameLabel]))
		if i < 0 {
			continue
		}
		called := []string{string(m["pod"]), string(m["direction"]), string(m["peer"]), string(m["tls"])}
		if m["dst_pod"] != "" {
			called = append(called, string(m["dst_pod"]))
		}
		for _, kind := range linkerdKinds() {
			if name := m[model.LabelName("dst_"+kind)]; name != "" {
				called = append(called, kind, string(name))
			}
		}
		key := strings.Join(called, " ")
		if m["dst_pod"] == "" {
			key += " "
		}
		of := bytes[key]
		of[i] = s.Value.String()
		bytes[key] = of
	}
	var lines []string
	for key, of := range bytes {
		lines = append(lines, key+": "+of[0]+" "+of[1])
	}
	slices.Sort(lines)
	return lines
}

// The labels are those of the proxy with those that Linkerd's configuration of the scrape
// adds.
func TestLinkerdLabels(t *testing.T) {
	c := newClusterWith(t, Linkerd(), "n1: web; n2: db", "db", "web -> db")
	c.flow(time.Second)
	for _, s := range scrape(t, c.Mesh) {
		if s.Metric[model.MetricNameLabel] != "tcp_write_bytes_total" || s.Metric["direction"] != "outbound" || s.Metric["peer"] != "dst" {
			continue
		}
		want := model.Metric{
			"namespace": "shop", "pod": "web-1", "deployment": "web", "workload_ns": "shop", "control_plane_ns": "linkerd",
			"app": "web", "pod_template_hash": "6f7d9",
			"direction": "outbound", "peer": "dst", "authority": "db.shop.svc.cluster.local:80",
			"tls": "true", "server_id": "default.shop.serviceaccount.identity.linkerd.cluster.local",
			"dst_namespace": "shop", "dst_service": "db", "dst_pod": "db-1", "dst_deployment": "db", "dst_serviceaccount": "default",
			"dst_control_plane_ns": "linkerd", "dst_pod_template_hash": "6f7d9",
		}
		for label, value := range s.Metric {
			if value == "" { // as if it were not there
				delete(s.Metric, label)
			}
		}
		delete(s.Metric, model.MetricNameLabel)
		if diff := gocmp.Diff(want, s.Metric); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		return
	}
	t.Error("the client's proxy counts nothing")
}

// The label of an owner is named after its kind; a pod without one has none.
func TestLinkerdOwners(t *testing.T) {
	cases := map[string]struct {
		kind, name string
		want       string
	}{
		"Deployment":          {"ReplicaSet", "db-6f7d9", "dst_deployment=db"},
		"ReplicaSet":          {"ReplicaSet", "db", "dst_replicaset=db"},
		"StatefulSet":         {"StatefulSet", "db", "dst_statefulset=db"},
		"DaemonSet":           {"DaemonSet", "db", "dst_daemonset=db"},
		"Job":                 {"Job", "db", "dst_k8s_job=db"},
		"CronJob":             {"Job", "db-29000000", "dst_cronjob=db"},
		"what we do not know": {"Database", "db", ""},
		"nothing controls it": {"", "", ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			c := newClusterWith(t, Linkerd(), "n1: web; n2:", "db", "web -> db")
			pod := c.pod("db-1", "db", "n2", "")
			group := map[string]string{"Job": "batch/v1", "Database": "example.com/v1"}[tc.kind]
			pod.OwnerReferences = []metav1.OwnerReference{{APIVersion: cmp.Or(group, "apps/v1"), Kind: tc.kind, Name: tc.name, Controller: new(true)}}
			if tc.kind == "" {
				pod.OwnerReferences = nil
			}
			c.add(pod)
			c.flow(time.Second)
			var got []string
			for _, s := range scrape(t, c.Mesh) {
				if s.Metric["dst_pod"] != "db-1" || s.Metric[model.MetricNameLabel] != "tcp_read_bytes_total" {
					continue
				}
				for _, kind := range linkerdKinds() {
					if owner := s.Metric[model.LabelName("dst_"+kind)]; owner != "" {
						got = append(got, "dst_"+kind+"="+string(owner))
					}
				}
			}
			if strings.Join(got, " ") != tc.want {
				t.Errorf("the called pod has %v, want %s", got, tc.want)
			}
		})
	}
}

// A series that has been idle for ten minutes vanishes, and begins anew.
func TestLinkerdDropsWhatIsIdle(t *testing.T) {
	c := newClusterWith(t, Linkerd(), "n1: web; n2: db", "db log", "web -> db; web -> log tcp")
	c.add(c.pod("log-1", "log", "n2", ""))
	outbound := func() (lines []string) {
		for _, line := range linkerdLines(scrape(t, c.Mesh)) {
			if strings.HasPrefix(line, "web-1 outbound dst") {
				lines = append(lines, line)
			}
		}
		return lines
	}
	db, log := "web-1 outbound dst true db-1 deployment db: ", "web-1 outbound dst true log-1 deployment log: "
	c.flow(time.Second)
	both := []string{db + "1000 20000", log + "1000 20000"}
	if diff := gocmp.Diff(both, outbound()); diff != "" {
		t.Fatalf("(-want +got):\n%s", diff)
	}
	calls := c.calls
	c.SetCalls(calls[1:])
	c.flow(10 * time.Minute)
	if got := outbound(); !slices.Contains(got, both[0]) {
		t.Errorf("after ten minutes there is %v, want %s still", got, both[0])
	}
	c.flow(time.Second)
	if got := outbound(); len(got) != 1 || !strings.HasPrefix(got[0], log) {
		t.Errorf("a second later there is %v, want nothing of db", got)
	}
	c.SetCalls(calls)
	c.flow(time.Second)
	if got := outbound(); !slices.Contains(got, both[0]) {
		t.Errorf("when it is called again, there is %v, want %s", got, both[0])
	}
}
