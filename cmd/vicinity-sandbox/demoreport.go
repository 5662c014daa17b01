package main

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/prometheus/client_golang/api"
	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
)

// state is what was measured in one of the demo's states.
type state struct {
	name, title string
	total       float64 // bytes per second, requests and responses
	acrossNodes float64
	acrossZones float64
	pods        []int // per node, the fullest first
	decisions   int
}

func (s state) crossNode() float64 { return share(s.acrossNodes, s.total) }
func (s state) crossZone() float64 { return share(s.acrossZones, s.total) }

func share(part, whole float64) float64 {
	if whole == 0 {
		return 0
	}
	return part / whole
}

// measure asks Prometheus for the traffic of the last window and the API server
// for the assignment.
func (d *demo) measure(ctx context.Context, window time.Duration) (s state, err error) {
	client, err := api.NewClient(api.Config{Address: d.box.Metrics.URL()})
	if err != nil {
		return s, fmt.Errorf("reaching Prometheus: %w", err)
	}
	query := promv1.NewAPI(client)
	for _, q := range []struct {
		into     *float64
		selector string
	}{{&s.total, ""}, {&s.acrossNodes, `same_node="false"`}, {&s.acrossZones, `same_zone="false"`}} {
		promQL := fmt.Sprintf("sum(rate(sandbox_traffic_bytes_total{%s}[%s]))", q.selector, model.Duration(window))
		value, _, err := query.Query(ctx, promQL, time.Now())
		if err != nil {
			return s, fmt.Errorf("asking Prometheus for %s: %w", promQL, err)
		}
		vector, ok := value.(model.Vector)
		if !ok {
			return s, fmt.Errorf("asking Prometheus for %s: unexpected answer %s", promQL, value.Type())
		}
		if len(vector) > 0 {
			*q.into = float64(vector[0].Value)
		}
	}
	if s.total == 0 {
		return s, fmt.Errorf("prometheus measured no traffic in the last %v", window)
	}
	s.pods, err = d.podsPerNode(ctx)
	return s, err
}

// report prints the states side by side.
func (d *demo) report(states []state) {
	fmt.Fprintln(d.out)
	w := tabwriter.NewWriter(d.out, 0, 0, 3, ' ', 0)
	row := func(name string, cell func(state) string) {
		fmt.Fprint(w, name)
		for _, s := range states {
			fmt.Fprint(w, "\t", cell(s))
		}
		fmt.Fprintln(w)
	}
	row("", func(s state) string { return s.name + ": " + s.title })
	row("traffic", func(s state) string { return rate(s.total) })
	row("cross-node traffic", func(s state) string { return fmt.Sprintf("%s (%s)", rate(s.acrossNodes), percent(s.crossNode())) })
	row("cross-zone traffic", func(s state) string { return fmt.Sprintf("%s (%s)", rate(s.acrossZones), percent(s.crossZone())) })
	row("pods per node", func(s state) string { return strings.Trim(fmt.Sprint(s.pods), "[]") })
	row("scheduling decisions", func(s state) string { return fmt.Sprint(s.decisions) })
	w.Flush()
	fmt.Fprint(d.out, `
traffic               bytes per second, requests and responses, between all pods of the application (from Prometheus)
cross-node traffic    the part whose two pods run on different nodes; it loads the network and adds latency
cross-zone traffic    the part whose two pods run in different zones; cloud providers charge for it
pods per node         the application's pods on each of the 9 nodes, the fullest first (from the API server)
scheduling decisions  pods that a scheduler bound to a node to reach this state (from the API server)

`)
	if !d.options.keep {
		fmt.Fprintln(d.out, lastLine(states))
	}
}

// lastLine is the report for machines.
func lastLine(states []state) string {
	nodes, zones := make([]string, len(states)), make([]string, len(states))
	for i, s := range states {
		nodes[i], zones[i] = percent(s.crossNode()), percent(s.crossZone())
	}
	return fmt.Sprintf("demo: cross-node %s, cross-zone %s", strings.Join(nodes, " -> "), strings.Join(zones, " -> "))
}

func percent(share float64) string { return fmt.Sprintf("%.1f %%", 100*share) }

func rate(bytesPerSecond float64) string {
	const mib = 1 << 20
	return fmt.Sprintf("%.2f MiB/s", bytesPerSecond/mib)
}
