package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/prometheus/client_golang/api"
	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry/promapi"
	"github.com/vicinity-sched/vicinity/internal/kube/objects"
	"github.com/vicinity-sched/vicinity/internal/sources"
	v1 "github.com/vicinity-sched/vicinity/plugins/config/v1"
)

// Telemetry is what the checks of the telemetry need.
type Telemetry struct {
	// Config is the configuration to check, defaulted and validated; nil where none is known.
	Config *v1.TelemetryConfiguration
	// NoConfig says why Config is nil, and how to give one.
	NoConfig string
	// BadConfig is the mistake in the TelemetryConfiguration that makes Config nil; nil where
	// there is none.
	BadConfig error
	// File is the path of the TelemetryConfiguration; "" where flags make it.
	File string
	// Chosen says that the user named the sources, in the file or with flags. Otherwise the
	// types whose metrics are found are read.
	Chosen bool
	// Client asks the server of Config.
	Client *promapi.Client
	// Objects are those of the cluster; nil where they could not be read, for the reason
	// NoObjects.
	Objects   *objects.Objects
	NoObjects string
	// Now is the clock.
	Now func() time.Time
	// Words are the next steps that other verbs print, too.
	Words Words
}

// Words word what all verbs word alike.
type Words struct {
	// Failure says what to do about a failed query, "" where nothing is known to help.
	Failure func(telemetry.Failure) string
	// Finding says what to do about a finding of a source.
	Finding func(source string, f telemetry.Finding) string
	// Reason explains why traffic is left out, and what to do about it.
	Reason func(telemetry.Reason) string
}

// Examination is the checks of the telemetry, and what they learn for a suggestion.
type Examination struct{ look }

// NewExamination returns the checks of a telemetry, which ask nothing before they run.
func NewExamination(t Telemetry) *Examination { return &Examination{look{Telemetry: t}} }

// TelemetryChecks returns the checks of the telemetry, in the order in which they must run.
func TelemetryChecks(t Telemetry) []Check { return NewExamination(t).Checks() }

// Checks returns the checks in the order in which they must run.
func (e *Examination) Checks() []Check {
	l := &e.look
	return []Check{
		l.valid,
		l.check(l.anything, l.connection, nameReachable, nameAllowed, nameAPI, nameComplete),
		l.check(l.answering, l.clock, nameClock),
		l.check(l.answering, l.storage, nameRetention, nameReload),
		l.check(l.answering, l.find, nameFound, nameConfigured),
		l.check(l.reading, l.scraped, nameFresh, nameWindow, nameLookback),
		l.check(l.reading, l.targets, nameTargets),
		l.check(l.reading, l.read, nameRead),
		l.check(l.observed, l.findings, findingNames()...),
		l.check(l.asked, l.cost, nameCost, nameRules),
		l.check(l.observed, l.limits, nameLimits),
		l.check(l.observed, l.resolution, nameResolved, nameOutside),
		l.check(l.observed, l.pods, namePods, nameKnown),
		l.check(l.observed, l.trust, nameReporters, nameAgreement),
		l.compared,
	}
}

// compared compares the configuration, unless valid has said what is wrong with it.
func (l *look) compared(ctx context.Context) []Result {
	if l.BadConfig != nil {
		return nil
	}
	return l.check(l.observed, l.configuration, nameConfiguration)(ctx)
}

// look is what the checks have seen so far. They run one after the other, and each needs
// what those before it have found.
type look struct {
	Telemetry

	server promv1.API
	// broken says why the server cannot be asked, "" where it can.
	broken string
	// ahead is how much the server's clock is ahead of ours. Queries are asked at its time.
	ahead time.Duration
	// lookback is how old a sample may be that an instant query still sees.
	lookback time.Duration

	detected *sources.Detected
	// cfg has the sources that are read: the configured ones, or those found. It is nil where
	// there are none, for the reason nothing.
	cfg     *v1.TelemetryConfiguration
	nothing string
	scrapes []scrape

	spy      *spy
	sources  []telemetry.Source
	status   telemetry.Status
	snapshot *flowgraph.Snapshot
	unread   string // why there is no snapshot

	changes []change
}

// at is the time of the next queries.
func (l *look) at() time.Time { return l.Now().Add(l.ahead) }

// check returns a check that runs when there is what it needs. Otherwise its results, which
// have these names, are Unchecked for the reason that needs returns.
func (l *look) check(needs func() string, run func(context.Context) []Result, names ...string) Check {
	return func(ctx context.Context) []Result {
		why := needs()
		if why == "" {
			return run(ctx)
		}
		var all []Result
		for _, name := range names {
			all = append(all, Result{Check: name, Severity: Unchecked, What: why})
		}
		return all
	}
}

// valid says what is wrong with the TelemetryConfiguration itself.
func (l *look) valid(context.Context) []Result {
	if l.BadConfig == nil {
		return nil
	}
	return []Result{{
		Check: nameConfiguration, Severity: Error, What: sentence(l.BadConfig.Error()), Why: "The scheduler does not start with such a file.", Next: "Correct it; docs/configuration.md has all fields.",
	}}
}

// anything is what the first check needs.
func (l *look) anything() string {
	if l.Config == nil {
		l.broken = l.NoConfig
	}
	return l.broken
}

func (l *look) answering() string { return l.broken }

// reading needs sources.
func (l *look) reading() string {
	if l.broken == "" && l.cfg == nil {
		return l.nothing
	}
	return l.broken
}

// asked needs that sources have been asked, whatever they answered.
func (l *look) asked() string {
	if why := l.reading(); why != "" {
		return why
	}
	if l.spy == nil {
		return l.unread
	}
	return ""
}

// observed needs traffic.
func (l *look) observed() string {
	if why := l.reading(); why != "" {
		return why
	}
	return l.unread
}

// api returns the client for small questions that are no instant queries.
func (l *look) api() (promv1.API, error) {
	if l.server != nil {
		return l.server, nil
	}
	base, client := l.Client.API()
	c, err := api.NewClient(api.Config{Address: base, Client: client})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", l.Config.Prometheus.URL, err)
	}
	l.server = promv1.NewAPI(c)
	return l.server, nil
}

// Query implements Querier for the checks of a cluster, once the server has answered.
func (e *Examination) Query(ctx context.Context, query string, at time.Time, options ...promv1.Option) (model.Value, promv1.Warnings, error) {
	if e.Config == nil || e.broken != "" {
		return nil, nil, errors.New(strings.TrimSuffix(cmp.Or(e.broken, e.NoConfig), "."))
	}
	server, err := e.api()
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := e.limited(ctx)
	defer cancel()
	return server.Query(ctx, query, at.Add(e.ahead), options...)
}

// Snapshot is the traffic that the sources have, nil where there is none.
func (e *Examination) Snapshot() *flowgraph.Snapshot {
	if e.snapshot == nil || e.snapshot.EdgeCount() == 0 {
		return nil
	}
	return e.snapshot
}

// limited bounds the time of one question, as Client does.
func (l *look) limited(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, l.Config.Prometheus.Timeout.Duration)
}

// good is a result of something that is as it should be.
func good(name, format string, args ...any) Result {
	return Result{Check: name, Severity: Fine, What: fmt.Sprintf(format, args...)}
}

// notLooked is a result of something that could not be looked at.
func notLooked(name, format string, args ...any) Result {
	return Result{Check: name, Severity: Unchecked, What: fmt.Sprintf(format, args...)}
}

// inFile says where a field of the TelemetryConfiguration is set.
func (l *look) inFile() string {
	if l.File == "" {
		return "the TelemetryConfiguration"
	}
	return l.File
}
