package promapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
)

// vectorType is the resultType of an instant vector.
const vectorType = "vector"

// maxErrorBytes is how much is read of an answer that is not a success.
const maxErrorBytes = 64 << 10

func failure(kind telemetry.Failure, format string, args ...any) error {
	return &telemetry.QueryError{Failure: kind, Err: errors.New(oneLine(fmt.Sprintf(format, args...)))}
}

// badAnswer is a failure of the server to speak the API. It begins with the name
// that Prometheus' own client has for it.
func badAnswer(format string, args ...any) error {
	return failure(telemetry.BadAnswer, "bad_response: "+format, args...)
}

func (d *decoder) tooManySeries() error {
	return failure(telemetry.TooLarge, "the answer has more series than maxSeries (%d)", d.limits.series)
}

func (d *decoder) notVector() error {
	return badAnswer("the answer is not an instant vector but %q", d.resultType)
}

// outcome returns what the server itself says of an answer that is well-formed.
func (d *decoder) outcome() error {
	switch {
	case d.status == "error":
		return apiFailure(d.errorType, d.errorText)
	case d.status != "success":
		return badAnswer("the status of the answer is %q", d.status)
	case d.resultType != vectorType:
		return d.notVector()
	case !d.hasResult:
		return badAnswer("the answer has no result")
	case d.truncated:
		return d.tooManySeries()
	case d.partial:
		return failure(telemetry.Partial, "the server calls its answer incomplete: isPartial is true, a storage node did not answer")
	case len(d.warnings) > 0:
		return failure(telemetry.Partial, "the server calls its answer incomplete: %s", strings.Join(d.warnings, "; "))
	}
	return nil
}

// limitHeaders are how M3 says that it has not read, or not returned, all that the
// query matches. Their values name the limit.
func limitHeaders() []string {
	return []string{"M3-Results-Limited", "M3-Returned-Data-Limited"}
}

// limited returns an error when a header of an answer says that it is incomplete.
// M3-Returned-Data-Limited is a JSON object that may also say that it is not.
func limited(header http.Header) error {
	for _, name := range limitHeaders() {
		value := header.Get(name)
		var said struct{ Limited *bool }
		if value == "" || json.Unmarshal([]byte(value), &said) == nil && said.Limited != nil && !*said.Limited {
			continue
		}
		return failure(telemetry.Partial, "the server calls its answer incomplete: the header %s is %q", name, value)
	}
	return nil
}

// apiFailure is an error that the server reports in the form of the API.
func apiFailure(errorType, text string) error {
	kind := telemetry.Rejected
	if errorType == "timeout" || errorType == "canceled" {
		kind = telemetry.Timeout
	}
	return failure(kind, "%s: %s", errorType, text)
}

// statusFailure reads an answer whose status is not 2xx. Prometheus describes
// what is wrong in the body of some; proxies answer with HTML.
func statusFailure(resp *http.Response) error {
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxErrorBytes))
	if err != nil {
		return err
	}
	var said struct {
		ErrorType string `json:"errorType"`
		Error     string `json:"error"`
		// These are of an API server that forwards the requests.
		Kind    string `json:"kind"`
		Message string `json:"message"`
	}
	valid := json.Unmarshal(body, &said) == nil
	isAPI := valid && said.ErrorType != ""
	code := resp.StatusCode
	switch {
	case valid && said.Kind == "Status" && said.Message != "":
		return forwarderFailure(code, said.Message)
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		return failure(telemetry.Denied,
			"the server answered %q; check bearerTokenFile, basicAuth, tls.certFile and headers", resp.Status)
	case isAPI:
		return apiFailure(said.ErrorType, fmt.Sprintf("%s (status %d)", said.Error, code))
	case code == http.StatusRequestTimeout || code == http.StatusGatewayTimeout:
		return failure(telemetry.Timeout, "no answer in time: the server answered with status %d", code)
	case code == http.StatusTooManyRequests:
		return failure(telemetry.Rejected, "the server limits how often it is asked: it answered with status %d", code)
	case code == http.StatusBadRequest && strings.Contains(string(body), "HTTPS"): // as Go and nginx say it
		return badAnswer("the server speaks TLS there; begin its address with https://")
	case code >= 500:
		return failure(telemetry.Rejected, "the server answered with status %d", code)
	}
	// Among these are 404, and 400 that is not of Prometheus.
	return badAnswer("the server answered with status %d and no error of the API", code)
}

// forwarderFailure is what a Kubernetes API server says that should have forwarded a request.
func forwarderFailure(code int, message string) error {
	kind := telemetry.BadAnswer
	switch {
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		kind = telemetry.Denied
	case code == http.StatusGatewayTimeout:
		kind = telemetry.Timeout
	case code >= 500 || code == http.StatusNotFound:
		kind = telemetry.Unreachable
	}
	return failure(kind, "the API server says: %s", message)
}

// classify gives an error of a request or of an answer its kind. It leaves away
// what net/http says of the request: with GET, the whole query is in it.
func classify(err error) *telemetry.QueryError {
	var (
		known   *telemetry.QueryError
		syntax  *syntaxError
		request *url.Error
		network net.Error
	)
	if errors.As(err, &known) {
		return known
	}
	if errors.As(err, &request) {
		err = request.Err
	}
	wrap := func(kind telemetry.Failure, text string) *telemetry.QueryError {
		return &telemetry.QueryError{Failure: kind, Err: fmt.Errorf("%s%w", text, err)}
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return wrap(telemetry.Timeout, "no answer in time: ")
	case errors.Is(err, context.Canceled):
		return wrap(telemetry.OtherFailure, "")
	case request != nil:
		return wrap(telemetry.Unreachable, "")
	case errors.As(err, &syntax):
		return wrap(telemetry.BadAnswer, "bad_response: the answer is not that of a Prometheus API: ")
	}
	return wrap(telemetry.BadAnswer, "bad_response: reading the answer: ")
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
