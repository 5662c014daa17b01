package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/internal/promtest"
)

// dataStart is the time of the first sample of every load script, and queryTime
// that of the queries.
var (
	dataStart = time.Date(2026, 10, 1, 11, 50, 0, 0, time.UTC)
	queryTime = dataStart.Add(10 * time.Minute)
)

// clock returns a clock that stands at queryTime when it is first read and
// moves by 40 ms with every reading, whoever reads it.
func clock() func() time.Time {
	var readings atomic.Int64
	return func() time.Time {
		return queryTime.Add(time.Duration(readings.Add(1)-1) * 40 * time.Millisecond)
	}
}

// prometheus serves the HTTP API over the series of a load script and returns
// its URL.
func prometheus(t *testing.T, load string) string {
	t.Helper()
	querier := promtest.New(t, load)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/api/v1/query" {
			http.NotFound(w, r)
			return
		}
		answerQuery(w, r, querier)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// answerQuery answers as Prometheus does.
func answerQuery(w http.ResponseWriter, r *http.Request, querier telemetry.Querier) {
	type sample struct {
		Metric labels.Labels `json:"metric"`
		Value  [2]any        `json:"value"`
	}
	answer := map[string]any{"status": "success"}
	result := []sample{}
	at, err := strconv.ParseFloat(r.FormValue("time"), 64)
	if err == nil {
		engineTime := time.UnixMilli(int64(at*1000) - dataStart.UnixMilli())
		err = querier.Query(r.Context(), r.FormValue("query"), engineTime, func(s telemetry.Series) error {
			// Prometheus encodes values as text, for NaN.
			result = append(result, sample{s.Labels.(labels.Labels), [2]any{at, strconv.FormatFloat(s.Value, 'f', -1, 64)}})
			return nil
		})
	}
	if err != nil {
		w.WriteHeader(http.StatusUnprocessableEntity)
		answer = map[string]any{"status": "error", "errorType": "execution", "error": err.Error()}
	} else {
		answer["data"] = map[string]any{"resultType": "vector", "result": result}
	}
	json.NewEncoder(w).Encode(answer)
}

// traffic turns lines into a load script. A line is
//
//	from -> to via service: sent received requests
//
// with rates per second, where from and to are namespace/workload@cluster and
// "unknown" stands for an unknown end. Both ends report. An end of cluster
// "Kubernetes" may leave it away. "-" for the requests makes it TCP. A line
// that begins with "raw " is taken as it is.
func traffic(t *testing.T, lines string) string {
	t.Helper()
	b := &strings.Builder{}
	b.WriteString("load 30s\n")
	for line := range strings.Lines(lines) {
		line = strings.TrimSpace(line)
		if raw, ok := strings.CutPrefix(line, "raw "); ok {
			fmt.Fprintln(b, " ", raw)
			continue
		}
		if line == "" {
			continue
		}
		f := strings.Fields(line)
		if len(f) != 8 {
			t.Fatalf("bad line: %s", line)
		}
		ends := endLabels("source", f[0]) + "," + endLabels("destination", f[2]) +
			fmt.Sprintf(",destination_service_name=%q", strings.TrimSuffix(f[4], ":"))
		metrics := []string{"istio_request_bytes_sum", "istio_response_bytes_sum", "istio_requests_total"}
		if f[7] == "-" {
			metrics = []string{"istio_tcp_received_bytes_total", "istio_tcp_sent_bytes_total"}
		}
		for i, metric := range metrics {
			rate, err := strconv.ParseFloat(f[5+i], 64)
			if err != nil {
				t.Fatal(err)
			}
			for _, reporter := range []string{"source", "destination"} {
				fmt.Fprintf(b, "  %s{reporter=%q,%s} 0+%gx20\n", metric, reporter, ends, 30*rate)
			}
		}
	}
	return b.String()
}

func endLabels(side, end string) string {
	namespace, name, cluster := "unknown", "unknown", "unknown"
	if end != "unknown" {
		id, at, _ := strings.Cut(end, "@")
		namespace, name, _ = strings.Cut(id, "/")
		cluster = "Kubernetes"
		if at != "" {
			cluster = at
		}
	}
	return fmt.Sprintf("%s_workload_namespace=%q,%s_workload=%q,%s_cluster=%q", side, namespace, side, name, side, cluster)
}

// shop is an application whose traffic has every kind of trouble.
const shop = `
	edge/gateway      -> shop/frontend       via frontend:   38000 2400000 310
	shop/frontend     -> shop/catalog        via catalog:   120000 1900000 640
	shop/frontend     -> shop/cart           via cart:       64000  210000 155
	shop/frontend     -> shop/currency       via currency:   18000   22000 900
	shop/frontend     -> shop/ads            via ads:         9000  140000  40
	shop/catalog      -> data/catalog-db     via catalog-db: 52000  730000 -
	shop/cart         -> data/redis          via redis:     110000  190000 -
	shop/checkout     -> shop/cart           via cart:        4000   16000 12
	shop/frontend     -> shop/checkout       via checkout:    7000    9000 12
	shop/checkout     -> shop/payment        via payment:     2400    1100 12
	shop/checkout     -> shop/shipping       via shipping:    3600    2900 12
	shop/checkout     -> shop/email          via email:       9800     300 12
	data/catalog-db   -> data/catalog-db     via catalog-db: 81000   81000 -
	monitoring/probe  -> shop/frontend       via frontend:       4       9 0.004
	unknown           -> edge/gateway        via gateway:    45000 2500000 320
	shop/payment      -> unknown             via api.bank.example: 2500 1700 12
	shop/ads          -> unknown             via PassthroughCluster: 300 90000 -
	shop/email        -> unknown             via BlackHoleCluster: 10 0 0.5
	shop/cart         -> shop/history@west   via history:     6000    4000 9
	shop/ads          -> unknown             via unknown:       70      80 1
	raw istio_requests_total{reporter="source",source_workload="odd",source_workload_namespace="shop",destination_workload="cart",destination_workload_namespace="shop"} _x17 NaN NaN NaN
`
