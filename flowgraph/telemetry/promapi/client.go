package promapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/prometheus/client_golang/api"
	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
)

// Client queries one server. It is safe for concurrent use.
type Client struct {
	config    Config
	transport *transport
	api       v1.API
}

var _ telemetry.Querier = (*Client)(nil)

// New returns a client. It reports a Config that cannot work, but does not
// connect and does not open the files: they are read when they are needed, and
// may be rotated.
func New(c Config) (*Client, error) {
	if err := c.validate(); err != nil {
		return nil, fmt.Errorf("prometheus: %w", err)
	}
	c = c.withDefaults()
	t := newTransport(c)
	base, err := api.NewClient(api.Config{
		Address: c.URL,
		Client:  &http.Client{Transport: t, CheckRedirect: refuseRedirect},
	})
	if err != nil {
		return nil, fmt.Errorf("prometheus: %w", err)
	}
	return &Client{config: c, transport: t, api: v1.NewAPI(base)}, nil
}

// Close closes the connections that are not in use. The client stays usable.
func (c *Client) Close() { c.transport.base.CloseIdleConnections() }

// Query implements telemetry.Querier. Its errors are *telemetry.QueryError and
// name the server.
func (c *Client) Query(ctx context.Context, query string, at time.Time, yield func(telemetry.Series) error) error {
	vector, err := c.vector(ctx, query, at)
	if err != nil {
		kind, text := classify(err)
		return &telemetry.QueryError{Failure: kind, Err: fmt.Errorf("%s: %w", c.config.URL, text)}
	}
	for _, s := range vector {
		series := telemetry.Series{Labels: limitedLabels{s.Metric, c.config.MaxLabelBytes}, Value: float64(s.Value)}
		if err := yield(series); err != nil {
			return err
		}
	}
	return nil
}

func (c *Client) vector(ctx context.Context, query string, at time.Time) (model.Vector, error) {
	ctx, cancel := context.WithTimeout(ctx, c.config.Timeout)
	defer cancel()
	value, warnings, err := c.api.Query(ctx, query, at,
		v1.WithTimeout(c.config.Timeout), v1.WithLimit(uint64(c.config.MaxSeries)))
	if err != nil {
		return nil, err
	}
	tooMany := &telemetry.QueryError{Failure: telemetry.TooLarge, Err: fmt.Errorf(
		"the answer has more series than maxSeries (%d)", c.config.MaxSeries)}
	if len(warnings) > 0 {
		text := strings.Join(warnings, "; ")
		if strings.Contains(text, "truncated due to limit") {
			return nil, tooMany
		}
		return nil, &telemetry.QueryError{Failure: telemetry.Partial, Err: fmt.Errorf(
			"the server calls its answer incomplete: %s", oneLine(text))}
	}
	vector, ok := value.(model.Vector)
	if !ok {
		return nil, &telemetry.QueryError{Failure: telemetry.BadAnswer, Err: fmt.Errorf(
			"the answer is not an instant vector but %T", value)}
	}
	if len(vector) > c.config.MaxSeries {
		return nil, tooMany
	}
	return vector, nil
}

// classify returns the kind of an error and the error without its repetition
// of the request: a fall-back to GET would put the whole query into it.
func classify(err error) (telemetry.Failure, error) {
	var (
		known   *telemetry.QueryError
		answer  *v1.Error
		request *url.Error
		network net.Error
	)
	if errors.As(err, &known) {
		return known.Failure, known.Err
	}
	if errors.As(err, &request) {
		err = request.Err
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return telemetry.Timeout, fmt.Errorf("no answer in time: %w", err)
	case errors.As(err, &answer):
		return apiFailure(answer)
	case request != nil:
		return telemetry.Unreachable, err
	case errors.Is(err, context.Canceled):
		return telemetry.OtherFailure, err
	}
	return telemetry.BadAnswer, err
}

// apiFailure reads what the server says of a failed query. The API client does
// not look into the body of an answer other than 400 and 422, but Prometheus
// says there whether the query took too long.
func apiFailure(e *v1.Error) (telemetry.Failure, error) {
	said := struct {
		ErrorType v1.ErrorType `json:"errorType"`
		Error     string       `json:"error"`
	}{e.Type, e.Msg}
	if json.Unmarshal([]byte(e.Detail), &said) == nil && said.Error != e.Msg {
		said.Error = e.Msg + ": " + said.Error
	}
	err := errors.New(oneLine(fmt.Sprintf("%s: %s", said.ErrorType, said.Error)))
	switch said.ErrorType {
	case v1.ErrTimeout, v1.ErrCanceled:
		return telemetry.Timeout, err
	case v1.ErrBadResponse:
		return telemetry.BadAnswer, err
	}
	return telemetry.Rejected, err
}

// oneLine makes text of the server fit for an error: one line, limited.
func oneLine(text string) string {
	const limit = 300
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > limit {
		text = strings.ToValidUTF8(text[:limit], "") + "..."
	}
	return text
}

// limitedLabels hides values that are too long.
type limitedLabels struct {
	metric model.Metric
	limit  int
}

// Get implements telemetry.Labels.
func (l limitedLabels) Get(name string) string {
	v := string(l.metric[model.LabelName(name)])
	if len(v) > l.limit {
		return ""
	}
	return v
}
