package doctor

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/internal/show"
)

// connection asks the smallest question there is: does the server answer, may we ask, is it
// what it should be, and is its answer complete?
func (l *look) connection(ctx context.Context) []Result {
	url := l.Config.Prometheus.URL
	began, n := l.Now(), 0
	err := l.Client.Query(ctx, "vector(1)", began, func(telemetry.Series) error { n++; return nil })
	took := l.Now().Sub(began)
	if err == nil && n != 1 {
		err = &telemetry.QueryError{Failure: telemetry.BadAnswer, Err: fmt.Errorf("%s: vector(1) has %s", url, show.Plural(n, "element"))}
	}
	steps := []struct {
		name  string
		fails string // why it matters
		fine  func() Result
	}{
		{nameReachable, "While the scheduler has no data, it places pods without regard to traffic.", func() Result {
			return good(nameReachable, "%s answers in %s.", url, show.Duration(took.Round(time.Millisecond)))
		}},
		{nameAllowed, "The scheduler gets no data with these credentials.", func() Result { return good(nameAllowed, "Queries are allowed %s.", l.credentials()) }},
		{nameAPI, "The scheduler needs the query API of Prometheus.", func() Result { return l.kind(ctx) }},
		{nameComplete, "Incomplete answers are not used: they look as if there were less traffic.", func() Result { return good(nameComplete, "Its answers are complete.") }},
	}
	bad := stepOf(telemetry.FailureOf(err))
	var all []Result
	for i, step := range steps {
		switch {
		case i < bad:
			all = append(all, step.fine())
		case i == bad:
			all = append(all, l.failed(step.name, step.fails, err))
			l.broken = fmt.Sprintf("Prometheus cannot be asked (%s).", step.name)
		default:
			all = append(all, notLooked(step.name, "%s", l.broken))
		}
	}
	return all
}

// stepOf says which step of connection a failure is of; beyond them for none.
func stepOf(f telemetry.Failure) int {
	switch f {
	case telemetry.NoFailure:
		return 4
	case telemetry.Unreachable, telemetry.Timeout:
		return 0
	case telemetry.Denied:
		return 1
	case telemetry.Partial:
		return 3
	}
	return 2
}

// failed is the result of a query that failed.
func (l *look) failed(name, why string, err error) Result {
	r := Result{Check: name, Severity: Error, What: sentence(err.Error()), Why: why, Next: sentence(l.Words.Failure(telemetry.FailureOf(err)))}
	if invalid := (*tls.CertificateVerificationError)(nil); errors.As(err, &invalid) {
		r.Next = "Set prometheus.tls.caFile in " + l.inFile() + " to the certificate authority of the server."
	}
	return r
}

// credentials says how queries are allowed.
func (l *look) credentials() string {
	switch p := l.Config.Prometheus; {
	case p.BearerTokenFile != "":
		return "with the token in " + p.BearerTokenFile
	case p.BasicAuth != nil:
		return "to the user " + p.BasicAuth.Username
	case p.TLS != nil && p.TLS.CertFile != "":
		return "with the certificate " + p.TLS.CertFile
	}
	return "without credentials"
}

// kind says what the server is, as far as it tells.
func (l *look) kind(ctx context.Context) Result {
	server, err := l.api()
	if err != nil {
		return notLooked(nameAPI, "%s", sentence(err.Error()))
	}
	ctx, cancel := l.limited(ctx)
	defer cancel()
	info, err := server.Buildinfo(ctx)
	switch {
	case err != nil || info.Version == "":
		return good(nameAPI, "It has the query API of Prometheus, and does not say its version.")
	case info.Revision == "" && info.Branch == "": // VictoriaMetrics names a version that it is compatible with, and no more
		return good(nameAPI, "It says that it is compatible with Prometheus %s, and is another server, such as VictoriaMetrics.", info.Version)
	}
	return good(nameAPI, "It has the query API of Prometheus, and says that its version is %s.", info.Version)
}

// clockTolerance is by how much clocks may differ: synchronised ones differ by less.
const clockTolerance = 5 * time.Second

// clock compares the server's clock with ours.
func (l *look) clock(ctx context.Context) []Result {
	server, err := l.api()
	if err != nil {
		return []Result{notLooked(nameClock, "%s", sentence(err.Error()))}
	}
	ctx, cancel := l.limited(ctx)
	defer cancel()
	before := l.Now()
	value, _, err := server.Query(ctx, "time()", time.Time{})
	after := l.Now()
	scalar, ok := value.(*model.Scalar)
	if err != nil || !ok {
		return []Result{notLooked(nameClock, "The server does not tell its time: %v.", err)}
	}
	trip := after.Sub(before)
	theirs := time.UnixMilli(int64(float64(scalar.Value) * 1000))
	ahead := theirs.Sub(before.Add(trip / 2))
	if ahead.Abs()-trip/2 < clockTolerance {
		return []Result{good(nameClock, "Its clock and that of this machine differ by less than %s.", show.Duration(clockTolerance))}
	}
	l.ahead = ahead
	r := Result{
		Check: nameClock, Severity: Warning,
		What: fmt.Sprintf("Its clock is %s %s that of this machine.", show.Duration(ahead.Abs().Round(time.Second)), aheadOf(ahead)),
		Why:  "Queries name a time. The scheduler asks for data of its own clock's time, which a server with another clock does not have yet, or which are old. The other checks ask for the server's time.",
		Next: "Synchronise the clocks (chronyc tracking, timedatectl), of this machine, the nodes and the server. If only this machine is wrong, the scheduler is not affected.",
	}
	if ahead.Abs() >= l.shortestWindow() {
		r.Severity = Error
	}
	return []Result{r}
}

func aheadOf(d time.Duration) string {
	if d > 0 {
		return "ahead of"
	}
	return "behind"
}

// shortestWindow is that of the configured sources.
func (l *look) shortestWindow() time.Duration {
	window := l.Config.Sources[0].Window.Duration
	for _, s := range l.Config.Sources {
		window = min(window, s.Window.Duration)
	}
	return window
}

// defaultLookback is that of Prometheus.
const defaultLookback = 5 * time.Minute

// storage asks how long samples are kept, and whether the server runs with the configuration
// that was meant.
func (l *look) storage(ctx context.Context) []Result {
	l.lookback = defaultLookback
	server, err := l.api()
	if err != nil {
		return []Result{notLooked(nameRetention, "%s", sentence(err.Error())), notLooked(nameReload, "%s", sentence(err.Error()))}
	}
	ctx, cancel := l.limited(ctx)
	defer cancel()
	if flags, err := server.Flags(ctx); err == nil {
		if d, err := model.ParseDuration(flags["query.lookback-delta"]); err == nil && d > 0 {
			l.lookback = time.Duration(d)
		}
	}
	info, err := server.Runtimeinfo(ctx)
	if err != nil || info == (promv1.RuntimeinfoResult{}) { // an empty answer of those who only pretend
		const why = "The server does not say how it runs (/api/v1/status/runtimeinfo), as many managed ones do not."
		return []Result{notLooked(nameRetention, why), notLooked(nameReload, why)}
	}
	all := []Result{l.retention(info.StorageRetention)}
	if info.ReloadConfigSuccess {
		return append(all, good(nameReload, "It runs with its current configuration."))
	}
	return append(all, Result{
		Check: nameReload, Severity: Warning, What: "Prometheus could not load its current configuration and runs with an older one.",
		Why: "What was changed in scrape jobs or rules has no effect.", Next: "Read its log, and check the file: promtool check config prometheus.yml",
	})
}

// retention judges what runtimeinfo says, such as "15d", "6h or 10GB" or "10GB".
func (l *look) retention(says string) Result {
	first, _, _ := strings.Cut(says, " ")
	d, err := model.ParseDuration(first)
	keeps, window := time.Duration(d), l.shortestWindow()
	r := Result{Check: nameRetention, What: fmt.Sprintf("Samples are kept for %s.", first)}
	switch {
	case err != nil || keeps <= 0:
		return notLooked(nameRetention, "The server does not say how long it keeps samples.")
	case keeps < window:
		r.Severity, r.Why = Error, fmt.Sprintf("Rates over the window of %s need samples of all that time.", show.Duration(window))
		r.Next = "Raise --storage.tsdb.retention.time of Prometheus, or shorten window in " + l.inFile() + "."
	case keeps < l.Config.RetainFor.Duration:
		r.Severity, r.Why = Note, "vicinity explain rebuilds the graph from past samples and will not find edges that the scheduler still remembers (retainFor)."
		r.Next = "Raise --storage.tsdb.retention.time of Prometheus if you use vicinity explain."
	}
	return r
}

// sentence makes a sentence of a text without a full stop.
func sentence(text string) string {
	text = strings.TrimRight(strings.TrimSpace(text), ".;")
	if text == "" {
		return ""
	}
	first, size := utf8.DecodeRuneInString(text)
	if word, _, _ := strings.Cut(text, " "); !strings.ContainsAny(word, ":/._-") { // not of addresses, names and fields
		text = string(unicode.ToUpper(first)) + text[size:]
	}
	return text + "."
}
