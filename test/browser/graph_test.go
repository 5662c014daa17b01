package browser

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// flow is a rate of request bytes between workloads, as namespace/name.
type flow struct {
	from, to string
	rate     float64
}

// observed is what the Prometheus of these tests knows.
var observed = []flow{
	{"edge/gateway", "shop/frontend", 2_400_000}, {"shop/frontend", "shop/catalog", 1_900_000}, {"shop/frontend", "shop/cart", 210_000},
	{"shop/cart", "data/redis", 190_000}, {"shop/catalog", "data/catalog-db", 730_000}, {"data/catalog-db", "data/catalog-db", 81_000},
	{"shop/frontend", "shop/<script>alert(1)", 90_000}, {"shop/checkout", "shop/payment", 1_100},
}

// prometheus answers the queries of the Istio source with flows.
func prometheus(t *testing.T, flows []flow) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		type sample struct {
			Metric map[string]string `json:"metric"`
			Value  [2]any            `json:"value"`
		}
		result := []sample{}
		for _, e := range flows {
			if !strings.Contains(r.FormValue("query"), "istio_request_bytes_sum") {
				break
			}
			from, to := strings.SplitN(e.from, "/", 2), strings.SplitN(e.to, "/", 2)
			result = append(result, sample{map[string]string{
				"reporter": "source", "source_workload_namespace": from[0], "source_workload": from[1],
				"destination_workload_namespace": to[0], "destination_workload": to[1], "destination_service_name": to[1],
			}, [2]any{float64(time.Now().Unix()), fmt.Sprint(e.rate)}})
		}
		if err := json.NewEncoder(w).Encode(map[string]any{"status": "success", "data": map[string]any{"resultType": "vector", "result": result}}); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// binary is a rate as the page has it.
func binary(rate float64) string {
	unit := 0
	for rate >= 999.95 {
		rate, unit = rate/1024, unit+1
	}
	return sized(rate, unit, []string{"B", "KiB", "MiB"}) + "/s"
}

func TestGraph(t *testing.T) {
	content := vicinity(t, "graph", "--prometheus", prometheus(t, observed), "-o", "html")
	p := show(t, content, desktop)
	total := 0.0
	for _, e := range observed {
		total += e.rate
	}
	if got := p.text("h1"); !strings.Contains(got, "9 workloads exchange "+binary(total)+" over 8 edges") {
		t.Errorf("the headline is %q, want %s", got, binary(total))
	}
	if got, want := p.text(`[aria-label="edges"] tbody tr`), "edge/gateway shop/frontend "+binary(observed[0].rate); !strings.HasPrefix(got, want) {
		t.Errorf("the first edge is %q, want %q", got, want)
	}
	if got := p.text(`[aria-label="edges"] tbody`); !strings.Contains(got, "<script>alert(1)") {
		t.Errorf("a name is not shown as it is: %q", got)
	}
	if n := evaluate[int](p, `document.querySelectorAll(".layered .links > .link").length`); n != len(observed)-1 {
		t.Errorf("%d lines, want one for each edge but the self-flow", n)
	}
	evaluate[bool](p, `(document.querySelector('[aria-label="Next workload by traffic"]').click(), true)`)
	if got := p.text(".panel"); !strings.HasPrefix(got, "shop/frontend ") || !strings.Contains(got, binary(observed[1].rate)) {
		t.Errorf("the panel of the busiest workload says %q", got)
	}
	p.keep("graph")
	p.quiet()
	small := show(t, content, phone)
	if got := evaluate[int64](small, "document.scrollingElement.scrollWidth"); got > phone.width {
		t.Errorf("the page is %d pixels wide, want %d at most", got, phone.width)
	}
	small.keep("graph-small")
	small.quiet()
}
