// Package telemetrysetup builds what package telemetry needs from the configuration.
package telemetrysetup

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry/nodenetwork"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry/promapi"
	"github.com/vicinity-sched/vicinity/internal/sources"
	v1 "github.com/vicinity-sched/vicinity/plugins/config/v1"
)

// New returns a Manager that publishes to store, and what the networks of nodes take to
// networks, with the system's clock and randomness. cfg must have been defaulted and
// validated. resolver and observer may be nil.
// Nothing is queried before the Manager's Run or Refresh. The client is
// returned for its Close, once the Manager has stopped.
func New(cfg *v1.TelemetryConfiguration, store *flowgraph.Store, networks *flowgraph.NodeNetworkStore, resolver telemetry.Resolver, observer telemetry.Observer) (*telemetry.Manager, *promapi.Client, error) {
	client, err := Client(cfg)
	if err != nil {
		return nil, nil, err
	}
	sources, err := sourcesKnowing(cfg, resolver, func(from, to flowgraph.WorkloadID) bool { return store.Load().HasEdge(from, to) })
	if err != nil {
		return nil, nil, err
	}
	manager, err := telemetry.NewManager(telemetry.Options{
		Sources:     sources,
		Preferences: Preferences(cfg),
		Companions:  companions(cfg, networks),
		Querier:     client,
		Graph:       flowgraph.NewGraph(GraphOptions(cfg)),
		Limits:      limits(cfg),
		Store:       store,
		Interval:    cfg.Interval.Duration,
		Now:         time.Now,
		Random:      rand.Float64,
		Observer:    observer,
	})
	if err != nil {
		return nil, nil, err
	}
	return manager, client, nil
}

// GraphOptions returns how flows are smoothed and retained, how many are kept, and what
// they may do to the scores of other namespaces.
func GraphOptions(cfg *v1.TelemetryConfiguration) flowgraph.Options {
	reach := flowgraph.Reach{MaxForeignShare: *cfg.Trust.MaxForeignShare, Isolated: isAgreed(cfg)}
	for _, rule := range cfg.Trust.Namespaces {
		reach.Rules = append(reach.Rules, flowgraph.ReachRule{From: rule.From, To: rule.To})
	}
	return flowgraph.Options{
		HalfLife: cfg.HalfLife.Duration, RetainFor: cfg.RetainFor.Duration, Limits: limits(cfg), Reach: reach,
	}
}

// isAgreed reports whether a namespace's word alone counts for nothing with others.
func isAgreed(cfg *v1.TelemetryConfiguration) bool {
	return cfg.Trust.Agreement == v1.AgreementAgreed
}

func limits(cfg *v1.TelemetryConfiguration) flowgraph.Limits {
	l := cfg.Trust.Limits
	return flowgraph.Limits{
		Edges: int(*l.Edges), NamespaceEdges: int(*l.NamespaceEdges),
		Workloads: int(*l.Workloads), NamespaceWorkloads: int(*l.NamespaceWorkloads),
	}
}

// Sources returns the sources of the configuration in their order. resolver may be nil.
func Sources(cfg *v1.TelemetryConfiguration, resolver telemetry.Resolver) ([]telemetry.Source, error) {
	return sourcesKnowing(cfg, resolver, nil)
}

// Resolving returns the names of the sources that may name other endpoints than workloads,
// and therefore need a Resolver.
func Resolving(sources []telemetry.Source) []string {
	var names []string
	for _, s := range sources {
		if s.About().Resolves {
			names = append(names, s.Name())
		}
	}
	return names
}

// Preferences returns which sources are preferred in which namespaces.
func Preferences(cfg *v1.TelemetryConfiguration) telemetry.Preferences {
	preferences := telemetry.Preferences{}
	for _, s := range cfg.Sources {
		if len(s.PreferredIn) > 0 {
			preferences[s.Name] = s.PreferredIn
		}
	}
	return preferences
}

// sourcesKnowing returns the sources, which prefer edges that are known where there are too
// many.
func sourcesKnowing(cfg *v1.TelemetryConfiguration, resolver telemetry.Resolver, known func(from, to flowgraph.WorkloadID) bool) ([]telemetry.Source, error) {
	trust := telemetry.Trust{
		ReporterLabel: cfg.Trust.ReporterNamespaceLabel, TrustedReporters: cfg.Trust.TrustedReporterNamespaces,
		Agreed: isAgreed(cfg), Limits: limits(cfg), Known: known,
	}
	var err error
	if trust.Sites, err = sites(cfg); err != nil {
		return nil, err
	}
	resolver = trust.Sites.Resolver(resolver)
	var all []telemetry.Source
	for i, s := range cfg.Sources {
		source, err := sources.New(s, trust, resolver)
		if err != nil {
			return nil, fmt.Errorf("sources[%d]: %w", i, err)
		}
		all = append(all, source)
	}
	return all, nil
}

// sites returns the endpoints outside the cluster that count.
func sites(cfg *v1.TelemetryConfiguration) (*telemetry.Sites, error) {
	var rules []telemetry.SiteRule
	for i := range cfg.Sites {
		rule, err := cfg.Sites[i].Rule()
		if err != nil {
			return nil, fmt.Errorf("sites[%d]: %w", i, err)
		}
		rules = append(rules, rule)
	}
	return telemetry.NewSites(rules)
}

// companions returns the reader of what the networks of nodes take, if one is configured.
func companions(cfg *v1.TelemetryConfiguration, networks *flowgraph.NodeNetworkStore) []telemetry.Companion {
	if cfg.NodeNetworks == nil {
		return nil
	}
	return []telemetry.Companion{nodenetwork.New(v1.NodeNetworksName, cfg.NodeNetworks.Query, cfg.NodeNetworks.Label, networks)}
}

// Client returns the client of the configured Prometheus. It does not connect. Of through, the
// first that is not nil is the way to the server; without one it is connected to at its URL.
func Client(cfg *v1.TelemetryConfiguration, through ...*promapi.Route) (*promapi.Client, error) {
	p := cfg.Prometheus
	c := promapi.Config{
		Route:           cmp.Or(through...),
		URL:             p.URL,
		Timeout:         p.Timeout.Duration,
		BearerTokenFile: p.BearerTokenFile,
		Headers:         p.Headers,
		MaxBodyBytes:    p.MaxBodyBytes.Value(),
		MaxSeries:       int(*p.MaxSeries),
	}
	if t := p.TLS; t != nil {
		c.CAFile, c.CertFile, c.KeyFile, c.ServerName = t.CAFile, t.CertFile, t.KeyFile, t.ServerName
	}
	if b := p.BasicAuth; b != nil {
		c.Username, c.PasswordFile = b.Username, b.PasswordFile
	}
	return promapi.New(c)
}
