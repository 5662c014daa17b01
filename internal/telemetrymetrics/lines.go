package telemetrymetrics

import (
	"fmt"
	"strings"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/internal/show"
)

// meaningForPods says what a failing source means for pods. networks says that it is
// the one of nodes' networks, working that some source of traffic works, and known that
// the graph has data.
func meaningForPods(networks, working, known bool) string {
	switch {
	case networks:
		return "the last known capacities of nodes' networks count on"
	case working:
		return "traffic that only this source sees is kept for retainFor"
	case known:
		return "the last known traffic loses its influence from staleAfter on; from expireAfter on pods are scheduled as kube-scheduler would"
	}
	return "pods are scheduled as kube-scheduler would"
}

// noteFailure logs that a source begins to fail, for another reason than before, or
// ceases to.
func (o *Observer) noteFailure(source telemetry.SourceStatus, failure telemetry.Failure, pods string) {
	before := o.failing[source.Name]
	o.failing[source.Name] = failure
	switch failure {
	case before:
	case telemetry.NoFailure:
		o.logger.Info("Reading telemetry works again", "source", source.Name)
	default:
		o.logger.Error(source.Err, "Reading telemetry fails", "source", source.Name, "reason", failure, "pods", pods)
	}
}

// noteBeginning logs what the first successful refresh has read.
func (o *Observer) noteBeginning(status telemetry.Status) {
	if o.began || status.Generation == 0 {
		return
	}
	o.began = true
	var from []string
	for _, s := range status.Sources {
		if s.Err == nil && s.Flows > 0 {
			from = append(from, s.Name)
		}
	}
	o.logger.Info("Telemetry is read", "graph", describe(o.store.Load())+" from "+strings.Join(from, ", "))
}

// describe says how much is in a graph.
func describe(snap *flowgraph.Snapshot) string {
	bytes := 0.0
	for e := range snap.Edges() {
		bytes += e.BytesPerSecond()
	}
	sites := len(snap.Sites())
	ends := show.Plural(snap.Len()-sites, "workload")
	if sites > 0 {
		ends += ", " + show.Plural(sites, "site")
	}
	return fmt.Sprintf("%s, %s, %s", ends, show.Plural(snap.EdgeCount(), "edge"), show.ByteRate(bytes))
}

// noteAnswer shows what was left out, and logs that a source begins or ceases to
// send what is invalid.
func (o *Observer) noteAnswer(source telemetry.SourceStatus) {
	o.series.With(source.Name).Set(float64(source.Series))
	o.sitesBytes.With(source.Name).Set(source.SitesBytesPerSecond)
	for _, reason := range telemetry.Reasons() {
		leftOut := source.LeftOut[reason]
		o.leftOut.With(source.Name, reason.String()).Set(float64(leftOut.Series))
		o.leftOutBytes.With(source.Name, reason.String()).Set(leftOut.BytesPerSecond)
	}
	before, invalid := o.invalid[source.Name], source.LeftOut[telemetry.Invalid].Series
	o.invalid[source.Name] = invalid > 0
	switch {
	case invalid > 0 && !before:
		o.logger.Info("A source sends invalid series, which are left out", "source", source.Name, "series", invalid)
	case invalid == 0 && before:
		o.logger.Info("A source sends no invalid series any more", "source", source.Name)
	}
}

// noteSurplus logs that the graph begins or ceases to be full.
func (o *Observer) noteSurplus(status telemetry.Status) {
	cut := status.SurplusEdges
	for _, s := range status.Sources {
		cut += s.LeftOut[telemetry.Surplus].Series
	}
	before := o.cutting
	o.cutting = cut > 0
	switch {
	case cut > 0 && !before:
		o.logger.Info("There is more traffic than trust.limits allow: new and small edges are left out, those of the namespace with the most edges first",
			"edges", status.SurplusEdges, "next", "find that namespace with vicinity graph, or raise the limits")
	case cut == 0 && before:
		o.logger.Info("The traffic keeps trust.limits again")
	}
}
