package promtest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
)

// Server is the part of the HTTP API of Prometheus that small clients ask, over the series of a
// Querier.
type Server struct {
	*Querier
	// Start is the time of the first sample.
	Start time.Time
	// Now is the server's clock, for queries without a time.
	Now func() time.Time
	// Status are the answers below /api/v1/status/, such as "buildinfo"; others are not found.
	Status map[string]any
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	const status = "/api/v1/status/"
	var data any
	var err error
	switch {
	case r.URL.Path == "/api/v1/query":
		data, err = s.query(r)
	case len(r.URL.Path) > len(status) && s.Status[r.URL.Path[len(status):]] != nil:
		data = s.Status[r.URL.Path[len(status):]]
	default:
		http.NotFound(w, r)
		return
	}
	answer := map[string]any{"status": "success", "data": data}
	if err != nil {
		w.WriteHeader(http.StatusUnprocessableEntity)
		answer = map[string]any{"status": "error", "errorType": "execution", "error": err.Error()}
	}
	_ = json.NewEncoder(w).Encode(answer) // to a client that may have gone
}

// query answers an instant query, whatever its type.
func (s *Server) query(r *http.Request) (any, error) {
	at := s.Now()
	if text := r.FormValue("time"); text != "" {
		seconds, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return nil, err
		}
		at = time.UnixMilli(int64(seconds * 1000))
	}
	value, err := s.value(r.Context(), r.FormValue("query"), time.UnixMilli(at.UnixMilli()-s.Start.UnixMilli()))
	if err != nil {
		return nil, err
	}
	point := func(ms int64, v float64) [2]any {
		return [2]any{float64(ms+s.Start.UnixMilli()) / 1000, strconv.FormatFloat(v, 'f', -1, 64)}
	}
	type series struct {
		Metric labels.Labels `json:"metric"`
		Value  *[2]any       `json:"value,omitempty"`
		Values [][2]any      `json:"values,omitempty"`
	}
	result := []series{}
	switch value := value.(type) {
	case promql.Scalar:
		v := value.V
		if r.FormValue("query") == "time()" {
			v += float64(s.Start.UnixMilli()) / 1000
		}
		return map[string]any{"resultType": "scalar", "result": point(value.T, v)}, nil
	case promql.Vector:
		for _, one := range value {
			v := point(one.T, valueOf(one))
			result = append(result, series{Metric: one.Metric, Value: &v})
		}
	case promql.Matrix:
		for _, one := range value {
			of := series{Metric: one.Metric}
			for _, p := range one.Floats {
				of.Values = append(of.Values, point(p.T, p.F))
			}
			result = append(result, of)
		}
	}
	return map[string]any{"resultType": value.Type(), "result": result}, nil
}

// value runs a query whose answer is of any type.
func (q *Querier) value(ctx context.Context, query string, at time.Time) (parser.Value, error) {
	run, err := q.engine.NewInstantQuery(ctx, q.storage, nil, query, at)
	if err != nil {
		return nil, fmt.Errorf("parsing %s: %w", query, err)
	}
	result := run.Exec(ctx)
	if result.Err != nil {
		return nil, fmt.Errorf("running %s: %w", query, result.Err)
	}
	// The query is not closed: its value is still to be written.
	return result.Value, nil
}
