package explain

import (
	"strings"
	"testing"

	"github.com/vicinity-sched/vicinity/internal/kube"
	"github.com/vicinity-sched/vicinity/internal/kube/coldstart"
)

func TestReadPod(t *testing.T) {
	const containers = "containers: [{name: c, image: i}]"
	cases := map[string]struct {
		text, namespace string
		wantWorkload    string
		wantErr         string
	}{
		"a pod":             {"apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec: {" + containers + "}", "shop", "shop/web", ""},
		"its own namespace": {"apiVersion: v1\nkind: Pod\nmetadata: {name: web, namespace: other}\nspec: {" + containers + "}", "", "other/web", ""},
		"no namespace":      {"apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec: {" + containers + "}", "", "default/web", ""},
		"another namespace": {"apiVersion: v1\nkind: Pod\nmetadata: {name: web, namespace: other}\nspec: {" + containers + "}", "shop", "", "the object is in namespace other, not in shop"},
		"a Deployment":      {"---\n# a comment\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: shop}\nspec: {template: {spec: {" + containers + "}}}\n---\n", "", "shop/web", ""},
		"a StatefulSet":     {"apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: db, namespace: shop}\nspec: {template: {spec: {" + containers + "}}}", "", "shop/db", ""},
		"a Job":             {`{"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "report"}, "spec": {"template": {"spec": {"containers": [{"name": "c"}]}}}}`, "", "default/report", ""},
		"two objects":       {"apiVersion: v1\nkind: Pod\n---\napiVersion: v1\nkind: Pod", "", "", "has 2 objects; must have one"},
		"nothing":           {"# nothing\n", "", "", "has 0 objects"},
		"something else":    {"apiVersion: v1\nkind: Service", "", "", "is of kind Service (v1); must be a Pod, a Deployment"},
		"no kind":           {"metadata: {name: web}", "", "", "has no apiVersion and kind"},
		"no containers":     {"apiVersion: v1\nkind: Pod\nmetadata: {name: web}", "", "", "spec.containers: is required"},
		"an unknown field":  {"apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec: {container: []}", "", "", `unknown field "container"`},
		"no YAML":           {"a: [", "", "", "pod.yaml: "},
		"a generated name":  {"apiVersion: v1\nkind: Pod\nmetadata: {generateName: web-}\nspec: {" + containers + "}", "", "default/web-next", ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			s, err := ReadPod([]byte(tc.text), "pod.yaml", tc.namespace)
			if tc.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), tc.wantErr) || !strings.HasPrefix(err.Error(), "pod.yaml: ") {
					t.Errorf("the error is %v, want %q", err, tc.wantErr)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := kube.WorkloadOf(s.Pod).String(); got != tc.wantWorkload {
				t.Errorf("the workload is %s, want %s", got, tc.wantWorkload)
			}
			if s.Pod.Spec.SchedulerName != "default-scheduler" || s.Node != "" {
				t.Errorf("the pod is %+v on %q", s.Pod.Spec, s.Node)
			}
		})
	}
}

// TestReadPodOfAController: what a controller says for its pods counts as it would if it were there.
func TestReadPodOfAController(t *testing.T) {
	cases := map[string]struct {
		kind, own, template string
		wantPeers           string
		want                kube.Choice
	}{
		"a Deployment":            {"apps/v1\nkind: Deployment", "{vicinity.dev/peers: db, vicinity.dev/locality: off}", "{}", "db", kube.Off},
		"the controller's peers":  {"apps/v1\nkind: StatefulSet", "{vicinity.dev/peers: db}", "{vicinity.dev/peers: cart}", "db", kube.Unsaid},
		"the template's choice":   {"apps/v1\nkind: Deployment", "{vicinity.dev/locality: off}", "{vicinity.dev/locality: on}", "", kube.On},
		"a Job's own is not read": {"batch/v1\nkind: Job", "{vicinity.dev/peers: db, vicinity.dev/locality: off}", "{vicinity.dev/peers: cart}", "cart", kube.Unsaid},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			quoted := strings.NewReplacer("off", `"off"`, "on}", `"on"}`)
			text := "apiVersion: " + tc.kind + "\nmetadata: {name: web, annotations: " + quoted.Replace(tc.own) + "}\n" +
				"spec: {template: {metadata: {annotations: " + quoted.Replace(tc.template) + "}, spec: {containers: [{name: c}]}}}"
			s, err := ReadPod([]byte(text), "web.yaml", "shop")
			if err != nil {
				t.Fatal(err)
			}
			if got := s.Pod.Annotations[coldstart.PeersAnnotation]; got != tc.wantPeers {
				t.Errorf("the peers are %q, want %q", got, tc.wantPeers)
			}
			if got := kube.ChoiceOf(s.Pod.Annotations); got != tc.want {
				t.Errorf("the choice is %q, want %q", got, tc.want)
			}
		})
	}
}

// TestPendingSaysWhatIsLeftOut of a pod that asks for what is not simulated.
func TestPendingSaysWhatIsLeftOut(t *testing.T) {
	s, err := ReadPod([]byte(`apiVersion: v1
kind: Pod
metadata: {name: web}
spec:
  schedulingGates: [{name: later}]
  containers: [{name: c, image: i, resources: {claims: [{name: gpu}]}}]
  resourceClaims: [{name: gpu, resourceClaimName: gpu}]
  volumes: [{name: data, persistentVolumeClaim: {claimName: data}}, {name: tmp, emptyDir: {}}]
`), "pod.yaml", "")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Join(s.Notes, "\n")
	for _, part := range []string{"scheduling gates", "volumes are not looked at", "resource claims are not looked at"} {
		if !strings.Contains(text, part) {
			t.Errorf("%q is not in %s", part, text)
		}
	}
	if p := s.Pod.Spec; len(p.SchedulingGates)+len(p.ResourceClaims)+len(p.Containers[0].Resources.Claims) > 0 || len(p.Volumes) != 1 {
		t.Errorf("the pod is %+v", p)
	}
}

func FuzzReadPod(f *testing.F) {
	f.Add([]byte("apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec: {containers: [{name: c}]}"))
	f.Add([]byte("apiVersion: apps/v1\nkind: Deployment\nspec: {template: {spec: {containers: [{}]}}}\n---\n{"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if s, err := ReadPod(data, "pod.yaml", ""); err == nil && (s.Pod.Namespace == "" || len(s.Pod.Spec.Containers) == 0) {
			t.Errorf("%+v", s.Pod)
		}
	})
}
