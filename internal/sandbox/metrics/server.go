// Package metrics is a real Prometheus in the calling process, made of
// Prometheus' own libraries: scraping, storage, PromQL and the HTTP API on the
// loopback interface. It has no rules, no alerts, no discovery and no user
// interface.
package metrics

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/prometheus/common/route"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/discovery/targetgroup"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/scrape"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/util/features"
	v1 "github.com/prometheus/prometheus/web/api/v1"
)

// Options says what to scrape and where to keep it.
type Options struct {
	// Dir is the directory of the time series.
	Dir string
	// ScrapeInterval is how often the targets are read.
	ScrapeInterval time.Duration
	// Targets are read for as long as the server runs.
	Targets []Target
	// Log receives the libraries' messages; nil drops them.
	Log *slog.Logger
}

// Target is an endpoint in the Prometheus text format. Its own labels win over
// those that the scrape would add (honor_labels): one endpoint may stand for
// many.
type Target struct {
	// Job is its scrape job. All targets of a job have the same path and relabelling.
	Job         string
	Address     string // host:port
	MetricsPath string
	// Discovered are labels that discovery would find, such as __meta_kubernetes_namespace,
	// for Relabelling to read.
	Discovered map[string]string
	// Relabelling are the relabel_configs of its scrape configuration, in YAML on one line
	// each: {source_labels: [__meta_kubernetes_namespace], target_label: namespace}.
	Relabelling []string
}

// Server is a running Prometheus.
type Server struct {
	db      *tsdb.DB
	engine  *promql.Engine
	scraper *scrape.Manager
	web     *http.Server
	url     string
	wg      sync.WaitGroup
	mu      sync.Mutex
	errs    []error
}

const (
	queryTimeout = 30 * time.Second
	maxSamples   = 50_000_000 // Prometheus' own default
	maxRead      = 16
	retention    = 6 * time.Hour
)

// Start opens the storage, begins to scrape and serves the API.
func Start(o Options) (_ *Server, err error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	registry := prometheus.NewRegistry()
	s := &Server{}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Stop())
		}
	}()
	storage := tsdb.DefaultOptions()
	storage.RetentionDuration = retention.Milliseconds()
	if s.db, err = tsdb.Open(o.Dir, o.Log, registry, storage, nil); err != nil {
		return nil, fmt.Errorf("opening the storage: %w", err)
	}
	syntax := parser.NewParser(parser.Options{})
	s.engine = promql.NewEngine(promql.EngineOpts{
		Logger: o.Log, Reg: registry, MaxSamples: maxSamples, Timeout: queryTimeout,
		LookbackDelta: 5 * time.Minute, EnableAtModifier: true, EnableNegativeOffset: true, Parser: syntax,
	})
	if err := s.scrape(o, registry); err != nil {
		return nil, fmt.Errorf("starting to scrape: %w", err)
	}
	if err := s.serve(o, registry, syntax); err != nil {
		return nil, fmt.Errorf("serving the API: %w", err)
	}
	return s, nil
}

func (s *Server) scrape(o Options, registry prometheus.Registerer) (err error) {
	s.scraper, err = scrape.NewManager(&scrape.Options{DiscoveryReloadOnStartup: true}, o.Log, nil, s.db, nil, registry)
	if err != nil {
		return err
	}
	text, err := scrapeConfig(o)
	if err != nil {
		return err
	}
	cfg, err := config.Load(text, o.Log)
	if err != nil {
		return fmt.Errorf("its configuration: %w", err)
	}
	if err := s.scraper.ApplyConfig(cfg); err != nil {
		return err
	}
	targets := map[string][]*targetgroup.Group{}
	for _, t := range o.Targets {
		labels := model.LabelSet{model.AddressLabel: model.LabelValue(t.Address)}
		for name, value := range t.Discovered {
			labels[model.LabelName(name)] = model.LabelValue(value)
		}
		targets[t.Job] = append(targets[t.Job], &targetgroup.Group{Source: t.Job, Targets: []model.LabelSet{labels}})
	}
	updates := make(chan map[string][]*targetgroup.Group, 1)
	updates <- targets
	s.wg.Go(func() { s.failed(s.scraper.Run(updates)) })
	return nil
}

func scrapeConfig(o Options) (string, error) {
	interval := model.Duration(o.ScrapeInterval).String()
	text := fmt.Sprintf("global: {scrape_interval: %s, scrape_timeout: %s}\nscrape_configs:\n", interval, interval)
	for i, t := range o.Targets {
		if same := slices.IndexFunc(o.Targets[:i], func(of Target) bool { return of.Job == t.Job }); same >= 0 {
			if first := o.Targets[same]; first.MetricsPath != t.MetricsPath || !slices.Equal(first.Relabelling, t.Relabelling) {
				return "", fmt.Errorf("the targets of job %q differ in their path or relabelling", t.Job)
			}
			continue
		}
		text += fmt.Sprintf("- {job_name: %q, honor_labels: true, metrics_path: %q, relabel_configs: [%s]}\n", t.Job, t.MetricsPath, strings.Join(t.Relabelling, ", "))
	}
	return text, nil
}

func (s *Server) serve(o Options, registry *prometheus.Registry, syntax parser.Parser) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s.url = "http://" + listener.Addr().String()
	api := v1.NewAPI(
		s.engine, s.db, nil, nil, s.db,
		func(context.Context) v1.ScrapePoolsRetriever { return s.scraper },
		func(context.Context) v1.TargetRetriever { return s.scraper },
		func(context.Context) v1.AlertmanagerRetriever { return nil },
		func() config.Config { return config.DefaultConfig },
		map[string]string{},
		v1.GlobalURLOptions{ListenAddress: listener.Addr().String(), Host: listener.Addr().String(), Scheme: "http"},
		func(next http.HandlerFunc) http.HandlerFunc { return next },
		adminStats{s.db}, o.Dir, false, false, 0, o.Log,
		func(context.Context) v1.RulesRetriever { return nil },
		0, maxRead, 1<<20, false, nil,
		func() (v1.RuntimeInfo, error) {
			return v1.RuntimeInfo{ReloadConfigSuccess: true, StorageRetention: model.Duration(retention).String()}, nil
		},
		&v1.PrometheusVersion{Version: "3.14.0", Branch: "embedded"},
		nil, nil, registry, registry, nil,
		false, nil, false, false, false, false,
		5*time.Minute, false, false, nil, features.NewRegistry(), v1.OpenAPIOptions{}, syntax,
	)
	router := route.New()
	api.Register(router.WithPrefix("/api/v1"))
	s.web = &http.Server{Handler: router, ReadHeaderTimeout: 5 * time.Second}
	s.wg.Go(func() {
		if err := s.web.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			s.failed(err)
		}
	})
	return nil
}

// URL is the address that PromQL clients use.
func (s *Server) URL() string { return s.url }

// Stop ends scraping and serving and closes the storage. It returns what went
// wrong since Start.
func (s *Server) Stop() error {
	if s.web != nil {
		s.failed(s.web.Close())
	}
	if s.scraper != nil {
		s.scraper.Stop()
	}
	s.wg.Wait()
	if s.engine != nil {
		s.failed(s.engine.Close())
	}
	if s.db != nil {
		s.failed(s.db.Close())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return errors.Join(s.errs...)
}

func (s *Server) failed(err error) {
	if err == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.errs = append(s.errs, err)
}

// adminStats is the storage as the API wants it.
type adminStats struct{ *tsdb.DB }

// BlockMetas returns what the storage has on disk.
func (a adminStats) BlockMetas() ([]tsdb.BlockMeta, error) { return a.DB.BlockMetas(), nil }

// Stats returns the cardinality statistics of the newest data.
func (a adminStats) Stats(label string, limit int) (*tsdb.Stats, error) {
	return a.Head().Stats(label, limit), nil
}

// WALReplayStatus returns how far the storage was when it opened.
func (a adminStats) WALReplayStatus() (tsdb.WALReplayStatus, error) {
	return tsdb.WALReplayStatus{}, nil
}
