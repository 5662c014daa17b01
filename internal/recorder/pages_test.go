package recorder

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/internal/kube/objects"
)

// pagedServer has a node and six pods, and answers with two pods a page.
type pagedServer struct {
	// expired are the tokens whose pages have expired, with the tokens to go on with instead.
	expired map[string]string
	asked   []string // "LIMIT CONTINUE" for pods
}

// client is one of the server.
func (s *pagedServer) client(t *testing.T) dynamic.Interface {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(server.Close)
	client, err := dynamic.NewForConfig(&rest.Config{Host: server.URL, QPS: -1})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func (s *pagedServer) serve(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	refuse := func(status metav1.Status) {
		status.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}
		w.WriteHeader(int(status.Code))
		_ = json.NewEncoder(w).Encode(status)
	}
	switch r.URL.Path {
	case "/api/v1/nodes":
		fmt.Fprint(w, `{"apiVersion":"v1","kind":"NodeList","metadata":{},"items":[{"apiVersion":"v1","kind":"Node","metadata":{"name":"n"}}]}`)
		return
	case "/api/v1/pods":
	default:
		refuse(apierrors.NewGenericServerResponse(http.StatusNotFound, "list", corev1.Resource("x"), "", "", 0, false).Status())
		return
	}
	limit, token := r.FormValue("limit"), r.FormValue("continue")
	if limit != "1" { // which asks whether the kind may be listed
		s.asked = append(s.asked, strings.TrimSpace(limit+" "+token))
	}
	if next, expired := s.expired[token]; expired {
		status := apierrors.NewResourceExpired("the token is too old").Status()
		status.Continue = next
		refuse(status)
		return
	}
	page := metav1.List{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "PodList"}}
	first, end := 0, 6
	if limit != "" {
		_, _ = fmt.Sscanf(token, "from%d", &first)
		if end = first + 2; end < 6 {
			page.Continue = fmt.Sprintf("from%d", end)
		}
	}
	text := &strings.Builder{}
	for i := first; i < end; i++ {
		fmt.Fprintf(text, `,{"apiVersion":"v1","kind":"Pod","metadata":{"namespace":"shop","name":"p%d","ownerReferences":[{"kind":"ReplicaSet","name":"web","controller":true}]},
			"spec":{"containers":[{"name":"c","image":"i"}]}}`, i)
	}
	fmt.Fprintf(w, `{"apiVersion":"v1","kind":"PodList","metadata":{"continue":%q},"items":[%s]}`, page.Continue, strings.TrimPrefix(text.String(), ","))
}

// TestPages: a list is read in pages, each object once, whatever becomes of the pages.
func TestPages(t *testing.T) {
	cases := map[string]struct {
		expired map[string]string
		asked   []string
		fails   bool
	}{
		"all pages":                  {asked: []string{"500", "500 from2", "500 from4"}},
		"a page has expired":         {expired: map[string]string{"from2": "from2 of today"}, asked: []string{"500", "500 from2", "500 from2 of today", "500 from4"}},
		"there is nowhere to go on":  {expired: map[string]string{"from4": ""}, asked: []string{"500", "500 from2", "500 from4", ""}},
		"the next page has expired":  {expired: map[string]string{"from2": "from2 of today", "from2 of today": "from2 again"}, asked: []string{"500", "500 from2", "500 from2 of today", ""}},
		"it expires before it began": {expired: map[string]string{"": ""}, asked: []string{"500"}, fails: true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			s := &pagedServer{expired: tc.expired}
			all, _, err := ReadObjects(t.Context(), s.client(t), func(k *objects.Kind) bool { return k.Kind == "Pod" }, (*objects.Kind).Keep)
			if diff := cmp.Diff(tc.asked, s.asked); diff != "" {
				t.Errorf("limits and tokens (-want +got):\n%s", diff)
			}
			if tc.fails {
				if !apierrors.IsResourceExpired(err) {
					t.Errorf("error %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			pods := objects.Of[*corev1.Pod](all)
			for _, pod := range pods {
				names = append(names, pod.Name)
			}
			if want := []string{"p0", "p1", "p2", "p3", "p4", "p5"}; !slices.Equal(names, want) {
				t.Errorf("pods %v", names)
			}
			if &pods[0].Spec.Containers[0] != &pods[5].Spec.Containers[0] {
				t.Error("the containers of pods of one owner are there twice")
			}
		})
	}
}

// TestPastGoesOn: a recording of the past has each object once, also where a page expires.
func TestPastGoesOn(t *testing.T) {
	c := &clock{now: begin.Add(time.Minute)}
	s := &pagedServer{expired: map[string]string{"from2": "from2 of today"}}
	r, err := New(t.Context(), Options{
		Sources: []telemetry.Source{source{name: "istio"}}, Client: s.client(t), Step: time.Minute, Now: c.Now, Wait: c.Wait,
	}, false)
	if err != nil {
		t.Fatal(err)
	}
	f := &files{}
	w := start(t, f)
	if _, err := r.Past(t.Context(), w, begin, begin.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(true, ""); err != nil {
		t.Fatal(err)
	}
	want := []string{"21:00:00 ADDED Node n"}
	for i := range 6 {
		want = append(want, fmt.Sprintf("21:00:00 ADDED Pod p%d", i))
	}
	if diff := cmp.Diff(append(want, "21:01:00 web-db:1"), told(t, f)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
