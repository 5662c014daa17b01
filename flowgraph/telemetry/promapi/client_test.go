package promapi

import (
	"compress/gzip"
	"context"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const vector = `{"status":"success","data":{"resultType":"vector","result":[
	{"metric":{"a":"x"},"value":[1,"1.5"]},
	{"metric":{"a":"yyyyyyyyyyyy"},"value":[1,"NaN"]},
	{"metric":{},"value":[1,"+Inf"]}]}%s}`

// query runs one query and returns "label=value" for each series.
func query(t *testing.T, c Config) ([]string, error) {
	t.Helper()
	client, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	var got []string
	err = client.Query(context.Background(), `up{secret_query="1"}`, time.Unix(1, 0), func(s telemetry.Series) error {
		got = append(got, fmt.Sprintf("%s=%v", s.Labels.Get("a"), s.Value))
		return nil
	})
	return got, err
}

func serve(t testing.TB, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

func answer(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, body)
	}
}

func TestQuery(t *testing.T) {
	var form, tenant string
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		r.ParseForm()
		form = r.URL.Path + " " + r.Form.Encode()
		tenant = r.Header.Get("X-Scope-OrgID")
		fmt.Fprintf(w, vector, `,"infos":["metric might not be a counter"]`)
	})
	got, err := query(t, Config{URL: url + "/prefix/", MaxLabelBytes: 10, Headers: map[string]string{"X-Scope-OrgID": "a"}})
	if err != nil {
		t.Fatal(err)
	}
	// The label that is too long reads as missing.
	if want := "x=1.5 =NaN =+Inf"; strings.Join(got, " ") != want {
		t.Errorf("series = %v, want %s", got, want)
	}
	if want := `/prefix/api/v1/query limit=1000000&query=up%7Bsecret_query%3D%221%22%7D&time=1&timeout=30000ms`; form != want {
		t.Errorf("request = %s, want %s", form, want)
	}
	if tenant != "a" {
		t.Errorf("tenant = %q, want a", tenant)
	}
}

func TestYieldStopsTheQuery(t *testing.T) {
	client, err := New(Config{URL: serve(t, answer(fmt.Sprintf(vector, "")))})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	stop, calls := errors.New("stop"), 0
	err = client.Query(context.Background(), "up", time.Unix(1, 0), func(s telemetry.Series) error { calls++; return stop })
	if !errors.Is(err, stop) || calls != 1 {
		t.Errorf("error = %v after %d calls, want %v after 1", err, calls, stop)
	}
}

func TestFailures(t *testing.T) {
	status := func(code int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(code); io.WriteString(w, body) }
	}
	cases := map[string]struct {
		handler  http.HandlerFunc
		config   Config
		want     telemetry.Failure
		wantText string
	}{
		"401":              {handler: status(401, "go away"), want: telemetry.Denied, wantText: "401 Unauthorized"},
		"403":              {handler: status(403, ""), want: telemetry.Denied, wantText: "403 Forbidden"},
		"500":              {handler: status(500, "oops"), want: telemetry.Rejected, wantText: "500"},
		"bad query":        {handler: status(400, `{"status":"error","errorType":"bad_data","error":"parse error\nat 1"}`), want: telemetry.Rejected, wantText: "parse error at 1"},
		"query timed out":  {handler: status(503, `{"status":"error","errorType":"timeout","error":"query timed out"}`), want: telemetry.Timeout, wantText: "query timed out"},
		"not an API":       {handler: answer("<html>"), want: telemetry.BadAnswer, wantText: `want '{' instead of "<html>"`},
		"not a vector":     {handler: answer(`{"status":"success","data":{"resultType":"matrix","result":[]}}`), want: telemetry.BadAnswer, wantText: `not an instant vector but "matrix"`},
		"404":              {handler: status(404, "404 page not found"), want: telemetry.BadAnswer, wantText: "status 404"},
		"429":              {handler: status(429, ""), want: telemetry.Rejected, wantText: "status 429"},
		"504":              {handler: status(504, "<html>"), want: telemetry.Timeout, wantText: "no answer in time"},
		"204":              {handler: status(204, ""), want: telemetry.BadAnswer, wantText: "status 204"},
		"400 of a proxy":   {handler: status(400, "<html>"), want: telemetry.BadAnswer, wantText: "status 400"},
		"403 of the API":   {handler: status(403, `{"status":"error","errorType":"forbidden","error":"no"}`), want: telemetry.Denied, wantText: "403 Forbidden"},
		"error with 200":   {handler: answer(`{"status":"error","errorType":"execution","error":"too many\tsamples"}`), want: telemetry.Rejected, wantText: "execution: too many samples"},
		"timeout with 200": {handler: answer(`{"data":null,"error":"query timed out","errorType":"timeout","status":"error"}`), want: telemetry.Timeout, wantText: "query timed out"},
		"no status":        {handler: answer(`{"data":{"resultType":"vector","result":[]}}`), want: telemetry.BadAnswer, wantText: `status of the answer is ""`},
		"no data":          {handler: answer(`{"status":"success"}`), want: telemetry.BadAnswer, wantText: `not an instant vector but ""`},
		"error with data":  {handler: answer(`{"status":"error","data":[1,{"a":"b"}],"errorType":"execution","error":"no"}`), want: telemetry.Rejected, wantText: "execution: no"},
		"a full matrix":    {handler: answer(`{"status":"success","data":{"resultType":"matrix","result":[{"values":[[1,"2"]]}]}}`), want: telemetry.BadAnswer, wantText: `not an instant vector but "matrix"`},
		"a long error":     {handler: status(500, strings.Repeat("x", 1<<20)), config: Config{MaxBodyBytes: 1 << 19}, want: telemetry.Rejected, wantText: "status 500"},
		"a long warning":   {handler: answer(fmt.Sprintf(vector, `,"warnings":["`+strings.Repeat("store ", 1<<15)+`"]`)), want: telemetry.Partial, wantText: "..."},
		"no result":        {handler: answer(`{"status":"success","data":{"resultType":"vector"}}`), want: telemetry.BadAnswer, wantText: "no result"},
		"a late matrix":    {handler: answer(`{"status":"success","data":{"result":[],"resultType":"matrix"}}`), want: telemetry.BadAnswer, wantText: "matrix"},
		"a scalar":         {handler: answer(`{"status":"success","data":{"result":[1,"2"],"resultType":"scalar"}}`), want: telemetry.BadAnswer, wantText: `want '{' instead of "1,`},
		"JSON ends early":  {handler: answer(`{"status":"success","data":{"resultType":"vector","result":[`), want: telemetry.BadAnswer, wantText: "ends in the middle"},
		"more than JSON":   {handler: answer(fmt.Sprintf(vector, "") + "\nnot found"), want: telemetry.BadAnswer, wantText: `the end of the answer instead of "not found"`},
		"empty":            {handler: answer(""), want: telemetry.BadAnswer, wantText: "ends in the middle"},
		"a bad value":      {handler: answer(`{"data":{"result":[{"metric":{},"value":[1,"1,5"]}]}}`), want: telemetry.BadAnswer, wantText: `"1,5" is not a number`},
		"compressed": {
			handler: func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Encoding", "gzip")
				z := gzip.NewWriter(w)
				fmt.Fprintf(z, vector, "")
				if err := z.Close(); err != nil {
					t.Error(err)
				}
			},
			want: telemetry.BadAnswer, wantText: "compressed (gzip)",
		},
		"warning":          {handler: answer(fmt.Sprintf(vector, `,"warnings":["store a is down"]`)), want: telemetry.Partial, wantText: "store a is down"},
		"body too large":   {handler: answer(fmt.Sprintf(vector, "")), config: Config{MaxBodyBytes: 100}, want: telemetry.TooLarge, wantText: "maxBodyBytes (100)"},
		"too many series":  {handler: answer(fmt.Sprintf(vector, "")), config: Config{MaxSeries: 2}, want: telemetry.TooLarge, wantText: "maxSeries (2)"},
		"truncated":        {handler: answer(fmt.Sprintf(vector, `,"warnings":["results truncated due to limit"]`)), want: telemetry.TooLarge, wantText: "maxSeries"},
		"no token file":    {handler: answer(vector), config: Config{BearerTokenFile: "/nonexistent/token"}, want: telemetry.Denied, wantText: "/nonexistent/token"},
		"no password file": {handler: answer(vector), config: Config{Username: "u", PasswordFile: "/nonexistent/pw"}, want: telemetry.Denied, wantText: "/nonexistent/pw"},
		"slow": {
			handler: func(w http.ResponseWriter, r *http.Request) {
				io.Copy(io.Discard, r.Body) // so that the server notices the end of the client
				<-r.Context().Done()
			},
			config: Config{Timeout: 50 * time.Millisecond}, want: telemetry.Timeout, wantText: "no answer in time",
		},
		"slow body": {
			handler: func(w http.ResponseWriter, r *http.Request) {
				io.Copy(io.Discard, r.Body)
				io.WriteString(w, `{"status":`)
				w.(http.Flusher).Flush()
				<-r.Context().Done()
			},
			config: Config{Timeout: 50 * time.Millisecond}, want: telemetry.Timeout, wantText: "no answer in time",
		},
		"connection lost after the fall-back to GET": { // whose URL holds the query
			handler: func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodGet {
					panic(http.ErrAbortHandler)
				}
				w.WriteHeader(http.StatusMethodNotAllowed)
			},
			want: telemetry.Unreachable, wantText: "EOF",
		},
		"cut off": {
			handler: func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Length", "1000")
				io.WriteString(w, `{"status":`)
			},
			want: telemetry.BadAnswer, wantText: "unexpected EOF",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			tc.config.URL = serve(t, tc.handler)
			_, err := query(t, tc.config)
			if kind := telemetry.FailureOf(err); kind != tc.want {
				t.Errorf("failure = %v, want %v", kind, tc.want)
			}
			if err == nil || !strings.Contains(err.Error(), tc.wantText) || !strings.Contains(err.Error(), tc.config.URL) {
				t.Fatalf("error = %v, want it to say %q and name the server", err, tc.wantText)
			}
			if strings.Contains(err.Error(), "\n") || len(err.Error()) > 400 || strings.Contains(err.Error(), "secret_query") {
				t.Errorf("error = %v, want one short line without the query", err)
			}
		})
	}
}

// TestIncompleteAnswers: however a server says that its answer is incomplete, the
// query fails; what only says something about the query does not fail it.
func TestIncompleteAnswers(t *testing.T) {
	cases := map[string]struct {
		fields  string // of the answer
		headers map[string]string
		want    telemetry.Failure
		text    string
	}{
		"VictoriaMetrics":                  {fields: `,"isPartial":true`, want: telemetry.Partial, text: "isPartial is true"},
		"VictoriaMetrics has all":          {fields: `,"isPartial":false`},
		"nobody knows":                     {fields: `,"isPartial":null`},
		"a flag that is no boolean":        {fields: `,"isPartial":"true"`, want: telemetry.Partial, text: "isPartial"},
		"M3, a limit of its own":           {headers: map[string]string{"M3-Results-Limited": "max_fetch_series_limit_applied"}, want: telemetry.Partial, text: `M3-Results-Limited is "max_fetch_series_limit_applied"`},
		"M3, a remote store":               {headers: map[string]string{"m3-results-limited": "store_b_fetch_error"}, want: telemetry.Partial, text: "store_b_fetch_error"},
		"M3, a limit of what is returned":  {headers: map[string]string{"M3-Returned-Data-Limited": `{"Series":10,"TotalSeries":99,"Limited":true}`}, want: telemetry.Partial, text: "M3-Returned-Data-Limited"},
		"M3 has returned all":              {headers: map[string]string{"M3-Returned-Data-Limited": `{"Series":10,"TotalSeries":10,"Limited":false}`}},
		"Thanos":                           {fields: `,"warnings":["No StoreAPIs matched"]`, want: telemetry.Partial, text: "No StoreAPIs"},
		"infos where they belong":          {fields: `,"infos":["PromQL info: metric might not be a counter"]`},
		"infos among the warnings":         {fields: `,"warnings":["PromQL info: metric might not be a counter, name does not end in _total: \"x\" (1:5)","2 more info annotations omitted"]`},
		"an info and a warning":            {fields: `,"warnings":["PromQL info: x","a store is down"]`, want: telemetry.Partial, text: "a store is down"},
		"more infos than an error repeats": {fields: `,"warnings":[` + strings.Repeat(`"PromQL info: x",`, 20) + `"store a is down"]`, want: telemetry.Partial, text: "store a is down"},
		"annotations of an unknown kind":   {fields: `,"warnings":["PromQL info: x","3 more annotations omitted"]`, want: telemetry.Partial, text: "3 more"},
		"a flag inside of the data":        {fields: `,"stats":{"isPartial":true}`},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			url := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				for header, value := range tc.headers {
					w.Header().Set(header, value)
				}
				fmt.Fprintf(w, vector, tc.fields)
			})
			got, err := query(t, Config{URL: url})
			if kind := telemetry.FailureOf(err); kind != tc.want || err != nil && !strings.Contains(err.Error(), tc.text) {
				t.Errorf("failure %v, error %v; want %v and %q", kind, err, tc.want, tc.text)
			}
			if err == nil && len(got) != 3 {
				t.Errorf("%d series, want 3", len(got))
			}
		})
	}
}

func TestConnectionRefused(t *testing.T) {
	s := httptest.NewServer(answer(vector))
	s.Close()
	_, err := query(t, Config{URL: s.URL})
	if telemetry.FailureOf(err) != telemetry.Unreachable || !strings.Contains(err.Error(), "refused") {
		t.Errorf("error = %v, want connection refused", err)
	}
}

func TestRedirectIsNotFollowed(t *testing.T) {
	followed := false
	target := serve(t, func(w http.ResponseWriter, r *http.Request) { followed = true })
	for _, code := range []int{301, 302, 307, 308} {
		url := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, target+"/x?token=secret", code) })
		_, err := query(t, Config{URL: url})
		if telemetry.FailureOf(err) != telemetry.BadAnswer || !strings.Contains(err.Error(), "redirects to "+target) {
			t.Errorf("%d: error = %v, want it to name the redirect", code, err)
		}
		if followed || strings.Contains(err.Error(), "secret") {
			t.Errorf("%d: followed %v, error %v", code, followed, err)
		}
	}
}

func TestCredentials(t *testing.T) {
	var got string
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		got = r.Header.Get("Authorization")
		fmt.Fprintf(w, vector, "")
	})
	secret := filepath.Join(t.TempDir(), "secret")
	client, err := New(Config{URL: url, BearerTokenFile: secret})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for _, token := range []string{"old", "new"} { // rotated between two queries of one client
		write(t, secret, token+"\n")
		if err := client.Query(context.Background(), "up", time.Unix(1, 0), func(telemetry.Series) error { return nil }); err != nil {
			t.Fatal(err)
		}
		if want := "Bearer " + token; got != want {
			t.Errorf("Authorization = %q, want %q", got, want)
		}
	}
	if _, err := query(t, Config{URL: url, Username: "u", PasswordFile: secret}); err != nil || got != "Basic dTpuZXc=" {
		t.Errorf("Authorization = %q, error %v, want basic u:new", got, err)
	}
	write(t, secret, "two\nlines")
	if _, err := query(t, Config{URL: url, BearerTokenFile: secret}); err == nil || strings.Contains(err.Error(), "two") {
		t.Errorf("error = %v, want one that does not hold the secret", err)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestTLS(t *testing.T) {
	s := httptest.NewUnstartedServer(answer(fmt.Sprintf(vector, "")))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	defer s.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	write(t, ca, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})))
	if _, err := query(t, Config{URL: s.URL, CAFile: ca, ServerName: "example.com"}); err != nil {
		t.Errorf("with the right CA: %v", err)
	}
	cases := map[string]struct {
		config Config
		want   string
	}{
		"system CAs": {Config{}, "certificate"},
		"wrong name": {Config{CAFile: ca, ServerName: "other.test"}, "other.test"},
		"no CA file": {Config{CAFile: "/nonexistent/ca"}, "/nonexistent/ca"},
		"empty CA":   {Config{CAFile: os.DevNull}, "no PEM certificate"},
		"no cert":    {Config{CAFile: ca, CertFile: "/nonexistent/crt", KeyFile: "/nonexistent/key"}, "/nonexistent/crt"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			tc.config.URL = s.URL
			_, err := query(t, tc.config)
			if telemetry.FailureOf(err) != telemetry.Unreachable || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("failure %v, error %v, want it to say %q", telemetry.FailureOf(err), err, tc.want)
			}
		})
	}
}

func TestOldTLSIsRefused(t *testing.T) {
	s := httptest.NewUnstartedServer(answer(fmt.Sprintf(vector, "")))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.TLS = &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
	s.StartTLS()
	defer s.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	write(t, ca, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})))
	_, err := query(t, Config{URL: s.URL, CAFile: ca, ServerName: "example.com"})
	if telemetry.FailureOf(err) != telemetry.Unreachable || !strings.Contains(err.Error(), "protocol version") {
		t.Errorf("error = %v, want one about the version", err)
	}
}

func TestEnvironmentProxyIsIgnored(t *testing.T) {
	// ProxyFromEnvironment reads the environment once and never proxies
	// loopback addresses, so only the setting itself can be checked.
	if own, ok := newTransport(Config{}).base.(*http.Transport); !ok || own.Proxy != nil {
		t.Error("the transport has a proxy function")
	}
}

func TestNewRefuses(t *testing.T) {
	const url = "http://prometheus:9090"
	cases := map[string]struct {
		config Config
		want   string
	}{
		"no scheme":       {Config{URL: "prometheus:9090"}, "url: must begin with http"},
		"no host":         {Config{URL: "http://:9090"}, "url: has no host"},
		"credentials":     {Config{URL: "http://u:hunter2@p"}, "url: must not hold credentials"},
		"broken":          {Config{URL: "http://u:hunter2@[p"}, "url: is not a URL"},
		"query":           {Config{URL: url + "?a=hunter2"}, "url: must not have a query"},
		"authorization":   {Config{URL: url, Headers: map[string]string{"authorization": "hunter2"}}, `header "authorization"`},
		"half a cert":     {Config{URL: url, CertFile: "a"}, "keyFile"},
		"half basic auth": {Config{URL: url, Username: "a"}, "passwordFile"},
		"two credentials": {Config{URL: url, Username: "a", PasswordFile: "b", BearerTokenFile: "c"}, "exclude"},
		"negative limit":  {Config{URL: url, MaxSeries: -1}, "negative"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := New(tc.config)
			if err == nil || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("error = %v, want it to say %q without the secret", err, tc.want)
			}
		})
	}
}

func TestLimitedBodyAllowsExactlyTheLimit(t *testing.T) {
	const text = "0123456789"
	for _, limit := range []int64{9, 10, 11, math.MaxInt32} {
		b := &limitedBody{body: io.NopCloser(strings.NewReader(text)), left: limit, limit: limit}
		_, err := io.ReadAll(b)
		if (err != nil) != (limit < 10) {
			t.Errorf("limit %d: error = %v", limit, err)
		}
	}
}
