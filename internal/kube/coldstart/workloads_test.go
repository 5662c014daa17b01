package coldstart

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"
	"sigs.k8s.io/yaml"

	"github.com/vicinity-sched/vicinity/flowgraph"
)

// now is when all cases look; objects are of 2026-03-04, at the time that they say.
var now = time.Date(2026, 3, 4, 10, 30, 0, 0, time.UTC)

// read reads an object in YAML, in which TIME(10:00) is a time of creation.
func read(t testing.TB, text string) any {
	t.Helper()
	text = strings.NewReplacer("TIME(", "creationTimestamp: 2026-03-04T", ")", ":00Z").Replace(text)
	raw, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	var object any
	switch {
	case strings.HasPrefix(text, "{kind: ReplicaSet,"):
		object = &appsv1.ReplicaSet{}
	case strings.HasPrefix(text, "{kind: StatefulSet,"):
		object = &appsv1.StatefulSet{}
	case strings.HasPrefix(text, "{kind: Service,"):
		object = &corev1.Service{}
	case strings.HasPrefix(text, "{kind: AppGroup,"):
		object, err = DecodeAppGroup(raw)
	case strings.HasPrefix(text, "{kind: Sidecar,"):
		object, err = DecodeSidecar(raw)
	default:
		object = &corev1.Pod{}
	}
	if err == nil {
		err = yaml.Unmarshal(raw, object)
	}
	if err != nil {
		t.Fatal(err)
	}
	return object
}

// replicaSet is that of a Deployment of namespace shop; more is of its metadata.
func replicaSet(deployment, hash, at, labels, more string) string {
	return fmt.Sprintf("{kind: ReplicaSet, metadata: {namespace: shop, name: %[1]s-%[2]s, TIME(%[3]s), "+
		"ownerReferences: [{apiVersion: apps/v1, kind: Deployment, name: %[1]s, uid: d-%[1]s, controller: true}]%[5]s}, "+
		"spec: {replicas: 2, template: {metadata: {labels: {pod-template-hash: %[2]s, app: %[1]s%[4]s}}}}}", deployment, hash, at, labels, more)
}

// annotated is more for replicaSet.
func annotated(peers string) string {
	return fmt.Sprintf(", annotations: {vicinity.dev/peers: %q}", peers)
}

// service is shop/<name> for the pods of a Deployment.
func service(name, app string) string {
	return fmt.Sprintf("{kind: Service, metadata: {namespace: shop, name: %s}, spec: {selector: {app: %s}}}", name, app)
}

// world is Workloads with the objects that were put there.
func world(t testing.TB, objects ...string) (*Workloads, cache.Indexer) {
	t.Helper()
	services := informers.NewSharedInformerFactory(nil, 0).Core().V1().Services()
	w := NewWorkloads(Options{Origins: flowgraph.DeclaredOrigins(), Window: time.Hour, Services: services.Lister()})
	for _, text := range objects {
		object := read(t, text)
		if s, ok := object.(*corev1.Service); ok {
			if err := services.Informer().GetIndexer().Add(s); err != nil {
				t.Fatal(err)
			}
			continue
		}
		w.Changed(nil, object)
	}
	return w, services.Informer().GetIndexer()
}

// said is what new workloads declare: "web: db=1000 annotation, <-ads=share 0.5 appgroup; after web-v1(2)".
func said(w *Workloads, at time.Time) (all []string) {
	news, merged := w.New(at)
	defer merged()
	for _, d := range news {
		var parts []string
		for _, p := range d.Peers {
			text := strings.TrimPrefix(p.ID.String(), "shop/")
			if p.Calls {
				text = "<-" + text
			}
			if p.Rate > 0 {
				text += fmt.Sprintf("=%.4g", p.Rate)
			} else {
				text += fmt.Sprintf("=share %.3g", p.Share)
			}
			parts = append(parts, text+" "+p.Origin.String())
		}
		for _, p := range d.Predecessors {
			parts = append(parts, fmt.Sprintf("after %s(%d)", strings.TrimPrefix(p.ID.String(), "shop/"), p.Pods))
		}
		all = append(all, strings.TrimPrefix(d.ID.String(), "shop/")+": "+strings.Join(parts, ", "))
	}
	return all
}

const group = `{kind: AppGroup, metadata: {namespace: shop, name: g}, spec: {numMembers: 3, topologySortingAlgorithm: KahnSort, workloads: [
 {workload: {kind: Deployment, name: web, selector: w}, dependencies: [
  {workload: {kind: Deployment, name: cart, selector: c}, minBandwidth: 300Mi, maxNetworkCost: 20},
  {workload: {kind: Deployment, name: gone, selector: x}, minBandwidth: 100Mi},
  {workload: {kind: Deployment, name: far, selector: f, namespace: other}}]},
 {workload: {kind: Deployment, name: cart, selector: c}}]}}`

func grouped(selector string) string {
	return ", appgroup.diktyo.x-k8s.io: g, appgroup.diktyo.x-k8s.io.workload: " + selector
}

func TestNew(t *testing.T) {
	cases := map[string]struct {
		objects []string
		want    []string
	}{
		"nothing is declared": {objects: []string{replicaSet("web", "a", "10:00", "", "")}},
		"an annotation": {
			objects: []string{replicaSet("web", "a", "10:00", "", annotated("db=1000, other/ads"))},
			want:    []string{"web: db=1000 annotation, other/ads=share 1 annotation"},
		},
		"an annotation of the template": {
			objects: []string{strings.Replace(replicaSet("web", "a", "10:00", "", ""), "template: {metadata: {", "template: {metadata: {annotations: {vicinity.dev/peers: db=7}, ", 1)},
			want:    []string{"web: db=7 annotation"},
		},
		"a workload that is not new": {objects: []string{replicaSet("web", "a", "09:30", "", annotated("db=1000"))}},
		"a rollout": {
			objects: []string{replicaSet("web", "a", "08:00", "", annotated("db=1")), replicaSet("web", "b", "10:00", "", annotated("db=1"))},
		},
		"a rollout of a new workload": {
			objects: []string{replicaSet("web", "a", "10:00", "", annotated("db=1")), replicaSet("web", "b", "10:10", "", annotated("db=2"))},
			want:    []string{"web: db=2 annotation"},
		},
		"the first revision is gone": {
			objects: []string{replicaSet("web", "c", "10:00", "", `, annotations: {vicinity.dev/peers: db, deployment.kubernetes.io/revision: "3"}`)},
		},
		"the first revision is told last": {
			objects: []string{
				replicaSet("web", "b", "10:10", "", `, annotations: {vicinity.dev/peers: db=2, deployment.kubernetes.io/revision: "2"}`),
				replicaSet("web", "a", "10:00", "", `, annotations: {vicinity.dev/peers: db=1, deployment.kubernetes.io/revision: "1"}`),
			},
			want: []string{"web: db=2 annotation"},
		},
		"a rollback": {
			objects: []string{
				replicaSet("web", "a", "10:00", "", `, annotations: {vicinity.dev/peers: db=1, deployment.kubernetes.io/revision: "1"}`),
				replicaSet("web", "b", "10:10", "", `, annotations: {vicinity.dev/peers: db=3, deployment.kubernetes.io/revision: "3"}`),
				replicaSet("web", "c", "10:20", "", `, annotations: {vicinity.dev/peers: db=2, deployment.kubernetes.io/revision: "2"}`),
			},
			want: []string{"web: db=3 annotation"},
		},
		"a StatefulSet": {
			objects: []string{`{kind: StatefulSet, metadata: {namespace: shop, name: db, TIME(10:00), annotations: {vicinity.dev/peers: web=3}}, spec: {template: {metadata: {labels: {app: db}}}}}`},
			want:    []string{"db: web=3 annotation"},
		},
		"a pod without a controller": {
			objects: []string{`{kind: Pod, metadata: {namespace: shop, name: probe, TIME(10:00), annotations: {vicinity.dev/peers: web=3}}}`},
			want:    []string{"probe: web=3 annotation"},
		},
		"a CronJob that ran before": {
			objects: []string{
				`{kind: Pod, metadata: {namespace: shop, generateName: b-, name: b-1, TIME(07:00), ownerReferences: [{apiVersion: batch/v1, kind: Job, name: backup-28000000, controller: true}]}}`,
				`{kind: Pod, metadata: {namespace: shop, generateName: b-, name: b-2, TIME(10:00), annotations: {vicinity.dev/peers: db}, ownerReferences: [{apiVersion: batch/v1, kind: Job, name: backup-28001440, controller: true}]}}`,
			},
		},
		"a Service stands for workloads": {
			objects: []string{
				replicaSet("cart-v1", "a", "08:00", ", tier: cart", ""), strings.Replace(replicaSet("cart-v2", "a", "08:00", ", tier: cart", ""), "replicas: 2", "replicas: 6", 1),
				strings.Replace(service("cart", "x"), "app: x", "tier: cart", 1), replicaSet("web", "a", "10:00", "", annotated("cart=1000")),
			},
			want: []string{"web: cart-v1=250 annotation, cart-v2=750 annotation"},
		},
		"a workload comes before a Service": {
			objects: []string{replicaSet("cart", "a", "08:00", "", ""), replicaSet("ads", "a", "08:00", "", ""), service("cart", "ads"), replicaSet("web", "a", "10:00", "", annotated("cart=1000"))},
			want:    []string{"web: cart=1000 annotation"},
		},
		"an AppGroup, from either end": {
			objects: []string{group, replicaSet("web", "a", "10:00", grouped("w"), ""), replicaSet("my-cart", "a", "10:00", grouped("c"), "")},
			want:    []string{"my-cart: <-web=share 1.5 appgroup", "web: my-cart=share 1.5 appgroup, gone=share 0.5 appgroup, other/far=share 1 appgroup"},
		},
		"a selector that an AppGroup has in another namespace": {objects: []string{group, replicaSet("near", "a", "10:00", grouped("f"), "")}},
		"an AppGroup of another namespace": {
			objects: []string{strings.Replace(group, "namespace: shop", "namespace: tenant", 1), replicaSet("web", "a", "10:00", grouped("w"), "")},
		},
		"a Sidecar": {
			objects: []string{
				`{kind: Sidecar, metadata: {namespace: shop, name: all}, spec: {egress: [{hosts: ["./*"]}, {hosts: [istio-system/*, ./ads.shop.svc.cluster.local]}]}}`,
				`{kind: Sidecar, metadata: {namespace: shop, name: web}, spec: {workloadSelector: {labels: {app: web}}, egress: [{hosts: [shop/cart.shop.svc.cluster.local, "*/db.shop.svc.cluster.local", ./web.shop.svc.cluster.local, other/mail.shop.svc.cluster.local, ./nobody.shop.svc.cluster.local, ./example.com, ~./ads.shop.svc.cluster.local, ./ads.shop.svc.cluster.local]}]}}`,
				service("cart", "cart"), service("db", "db"), service("ads", "ads"), service("web", "web"), service("mail", "mail"), replicaSet("mail", "a", "08:00", "", ""),
				replicaSet("cart", "a", "08:00", "", ""), replicaSet("db", "a", "08:00", "", ""), replicaSet("ads", "a", "08:00", "", ""),
				replicaSet("web", "a", "10:00", "", ""), replicaSet("batch", "a", "10:00", "", ""),
			},
			want: []string{"batch: ads=share 1 sidecar", "web: cart=share 1 sidecar, db=share 1 sidecar"},
		},
		"a version of the mesh's service": {
			objects: []string{
				replicaSet("web-v1", "a", "07:00", ", service.istio.io/canonical-name: web", ""), replicaSet("web-v2", "a", "08:00", ", service.istio.io/canonical-name: web", ""),
				replicaSet("web-v3", "a", "10:00", ", service.istio.io/canonical-name: web", ""), replicaSet("ads", "a", "08:00", ", service.istio.io/canonical-name: ads", ""),
				replicaSet("web-v4", "a", "10:10", ", service.istio.io/canonical-name: web", ""),
			},
			want: []string{"web-v3: after web-v2(2), after web-v1(2)", "web-v4: after web-v3(2), after web-v2(2), after web-v1(2)"},
		},
		"a component of a chart": {
			objects: []string{
				replicaSet("redis-v1", "a", "07:00", ", app.kubernetes.io/name: redis, app.kubernetes.io/component: master", ""),
				replicaSet("redis-v2", "a", "10:00", ", app.kubernetes.io/name: redis, app.kubernetes.io/component: master", ""),
				replicaSet("redis-copy", "a", "10:00", ", app.kubernetes.io/name: redis, app.kubernetes.io/component: replica", ""),
			},
			want: []string{"redis-v2: after redis-v1(2)"},
		},
		"an instance of an operator": {
			objects: []string{
				`{kind: Pod, metadata: {namespace: shop, name: db-1, TIME(07:00), ownerReferences: [{apiVersion: postgresql.cnpg.io/v1, kind: Cluster, name: db, uid: u, controller: true}]}}`,
				`{kind: Pod, metadata: {namespace: shop, name: db-2, TIME(10:00), ownerReferences: [{apiVersion: postgresql.cnpg.io/v1, kind: Cluster, name: db, uid: u, controller: true}]}}`,
			},
			want: []string{"db-2: after db-1(1)"},
		},
		"as recorded: the pods say what they are like": {
			objects: []string{
				strings.Replace(replicaSet("web", "a", "10:00", "", ""), ", template: {metadata: {labels: {pod-template-hash: a, app: web}}}", ", selector: {matchLabels: {pod-template-hash: a}}", 1),
				`{kind: Pod, metadata: {namespace: shop, name: web-a-x, TIME(10:01), labels: {pod-template-hash: a, app: web}, annotations: {vicinity.dev/peers: db=5}, ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: web-a, controller: true}]}}`,
				service("web", "web"), `{kind: Pod, metadata: {namespace: shop, name: probe, TIME(10:00), annotations: {vicinity.dev/peers: web}}}`,
			},
			want: []string{"probe: web=share 1 annotation", "web: db=5 annotation"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w, _ := world(t, tc.objects...)
			if diff := cmp.Diff(tc.want, said(w, now)); diff != "" {
				t.Errorf("declared (-want +got):\n%s", diff)
			}
		})
	}
}

// TestOnlyWhatCounts asks for one kind of declaration at a time.
func TestOnlyWhatCounts(t *testing.T) {
	for _, origin := range flowgraph.DeclaredOrigins() {
		w := NewWorkloads(Options{Origins: []flowgraph.Origin{origin}, Window: time.Hour})
		for _, text := range []string{
			group, `{kind: Sidecar, metadata: {namespace: shop, name: all}, spec: {egress: [{hosts: [./*]}]}}`,
			replicaSet("web-old", "a", "07:00", ", service.istio.io/canonical-name: web", ""),
			replicaSet("web", "a", "10:00", grouped("w")+", service.istio.io/canonical-name: web", annotated("db=1")),
		} {
			w.Changed(nil, read(t, text))
		}
		for _, said := range said(w, now) {
			for _, other := range flowgraph.DeclaredOrigins() {
				word := map[bool]string{true: "after ", false: " " + other.String()}[other == flowgraph.Inherited]
				if other != origin && strings.Contains(said, word) {
					t.Errorf("with %s alone: %s", origin, said)
				}
			}
		}
	}
}

// TestChanges follows objects that change and go.
func TestChanges(t *testing.T) {
	w, _ := world(t)
	step := func(what string, was, is any, want ...string) {
		t.Helper()
		w.Changed(was, is)
		if diff := cmp.Diff(want, said(w, now)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	first := read(t, replicaSet("web", "a", "10:00", "", annotated("db=1")))
	other := read(t, replicaSet("web", "a", "10:00", "", annotated("db=2")))
	next := read(t, replicaSet("web", "b", "10:20", "", ""))
	step("a workload comes", nil, first, "web: db=1 annotation")
	step("the same again, as informers do", first, first, "web: db=1 annotation")
	step("its annotation changes", first, other, "web: db=2 annotation")
	step("a revision without one", nil, next)
	step("which is told again", next, next)
	step("the one before is told again", other, other)
	step("the newest revision goes", next, nil)
	step("the annotation is there again", other, first, "web: db=1 annotation")
	step("the workload goes", cache.DeletedFinalStateUnknown{Key: "shop/web-a", Obj: first}, nil)
	if len(w.known)+len(w.recent)+len(w.within) != 0 {
		t.Errorf("%d workloads are remembered", len(w.known))
	}
	step("AppGroups come", nil, read(t, group))
	step("and a member", nil, read(t, replicaSet("cart", "a", "10:00", grouped("c"), "")), "cart: <-web=share 1.5 appgroup")
	step("the AppGroup goes", read(t, group), nil)
	if got := said(w, now.Add(time.Hour)); len(w.recent) != 0 || len(got) != 0 {
		t.Errorf("an hour later %d are new: %v", len(w.recent), got)
	}
	w.Changed(nil, read(t, replicaSet("cart", "b", "11:00", "", annotated("db=1"))))
	if got := said(w, now.Add(time.Hour)); len(got) != 0 {
		t.Errorf("after a rollout an old workload is new: %v", got)
	}
}

// TestProblems says what is wrong with an annotation once for each object and text.
func TestProblems(t *testing.T) {
	w, _ := world(t)
	wrong := read(t, replicaSet("web", "a", "10:00", "", annotated("db=fast")))
	right := read(t, replicaSet("web", "a", "10:00", "", annotated("db=1")))
	want := []string{`Deployment shop/web: annotation vicinity.dev/peers: "db=fast": the rate must be a quantity per second above 0, such as 1Mi/s`}
	w.Changed(nil, wrong)
	w.Changed(wrong, wrong)
	if diff := cmp.Diff(want, w.NewProblems()); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
	if again := w.NewProblems(); len(again) != 0 {
		t.Errorf("said again: %v", again)
	}
	if diff := cmp.Diff(want, w.Problems()); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
	w.Changed(wrong, right)
	if left := w.Problems(); len(left) != 0 {
		t.Errorf("what is right is still called wrong: %v", left)
	}
}

// TestMeet asks before a pod is scored whether what it declares is merged.
func TestMeet(t *testing.T) {
	pod := read(t, `{kind: Pod, metadata: {namespace: shop, name: web-a-x, TIME(10:00), labels: {pod-template-hash: a}, annotations: {vicinity.dev/peers: db=5}, ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: web-a, controller: true}]}}`).(*corev1.Pod)
	w, _ := world(t)
	if !w.Meet(pod) {
		t.Error("a pod whose controller nobody knows yet declares nothing")
	}
	if diff := cmp.Diff([]string{"web: db=5 annotation"}, said(w, now)); diff != "" {
		t.Errorf("declared (-want +got):\n%s", diff)
	}
	if w.Meet(pod) {
		t.Error("what is merged is to be merged again")
	}
	w.Changed(nil, read(t, replicaSet("web", "a", "10:00", "", annotated("db=6"))))
	if !w.Meet(pod) {
		t.Error("what has changed is taken for merged")
	}
	if diff := cmp.Diff([]string{"web: db=6 annotation"}, said(w, now)); diff != "" {
		t.Errorf("declared (-want +got):\n%s", diff)
	}
	if plain, _ := world(t, replicaSet("ads", "a", "10:00", "", "")); plain.Meet(read(t, `{kind: Pod, metadata: {namespace: shop, name: ads-a-x, labels: {pod-template-hash: a}, ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: ads-a, controller: true}]}}`).(*corev1.Pod)) {
		t.Error("a pod of which nothing is declared has something to merge")
	}
}

// TestMeetIsCheap: it is asked in every cycle.
func TestMeetIsCheap(t *testing.T) {
	w, _ := world(t, replicaSet("ads", "a", "10:00", "", ""))
	pod := read(t, `{kind: Pod, metadata: {namespace: shop, name: ads-a-x, labels: {pod-template-hash: a}, ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: ads-a, controller: true}]}}`).(*corev1.Pod)
	w.Meet(pod)
	if n := testing.AllocsPerRun(100, func() { w.Meet(pod) }); n > 1 { // the name without its hash
		t.Errorf("%v allocations", n)
	}
}

// TestBrokenObjects reads AppGroups and Sidecars that cannot be decoded: they keep their
// name and declare nothing.
func TestBrokenObjects(t *testing.T) {
	for text, want := range map[string]string{
		`{"metadata":{"namespace":"shop","name":"g"},"spec":{"workloads":5}}`:                                                "AppGroup shop/g: ",
		`{"metadata":{"namespace":"shop","name":"g"},"spec":{"workloads":[{"dependencies":[{"minBandwidth":"1e999999"}]}]}}`: "AppGroup shop/g: minBandwidth is \"1e999999\": no such amount",
		`{"metadata":7}`: "AppGroup ",
	} {
		g, err := DecodeAppGroup([]byte(text))
		if err == nil || !strings.HasPrefix(err.Error(), want) || len(g.Spec.Workloads) > 0 {
			t.Errorf("%s: %v, %v, want %q", text, g.Spec, err, want)
		}
	}
	s, err := DecodeSidecar([]byte(`{"metadata":{"namespace":"shop","name":"s"},"spec":{"egress":[{"hosts":7}]}}`))
	if err == nil || s.Name != "s" || s.Namespace != "shop" || len(s.Spec.GetEgress()) > 0 {
		t.Errorf("%v, %v", s, err)
	}
}
