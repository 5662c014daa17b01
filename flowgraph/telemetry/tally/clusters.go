package tally

import (
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry/condition"
)

// severalClusters is the mark of a pair that occurs under several clusters.
const severalClusters = 1<<16 - 1

// maxClusters is how many names of clusters are told apart. Those beyond it are taken for
// one.
const maxClusters = 1000

// clusters is which clusters the pairs name that become flows.
type clusters struct {
	named   map[string]bool   // by the mesh's names, where none is configured
	scraped map[string]uint16 // numbers of the values of the scrape's label
	own     map[string]uint16 // where targets are told apart: what they call their own
}

func newClusters() clusters {
	return clusters{named: map[string]bool{}, scraped: map[string]uint16{}, own: map[string]uint16{}}
}

// Elsewhere reports whether an end is known to be in another cluster than the one that is
// scheduled. Where that has no name, two ends that name different clusters are.
func (t *Tally) Elsewhere(from, to string) bool {
	if t.o.Cluster == "" {
		return from != "" && to != "" && from != to
	}
	return from != "" && from != t.o.Cluster || to != "" && to != t.o.Cluster
}

// noteClusters notes which clusters a report of an included pair names.
func (t *Tally) noteClusters(sum *report, r *Report) {
	c := &t.clusters
	if t.o.Cluster == "" {
		for _, name := range r.Clusters {
			if name != "" && !c.named[name] && len(c.named) < maxClusters {
				c.named[name] = true
			}
		}
	}
	note(&sum.cluster[r.End], c.scraped, r.Scraped)
	if own := r.Clusters[r.End]; own != "" && t.o.Trust.Identifies() {
		note(&sum.mesh[r.End], c.own, own)
	}
}

// note notes a value in the number of the value that was there before.
func note(number *uint16, numbers map[string]uint16, value string) {
	n, known := numbers[value]
	if !known {
		n = uint16(len(numbers) + 1)
		if len(numbers) < maxClusters {
			numbers[value] = n
		}
	}
	mix(number, n)
}

// mix adds the number of a value to that of those before.
func mix(number *uint16, n uint16) {
	switch *number {
	case 0:
		*number = n
	case n:
	default:
		if n != 0 {
			*number = severalClusters
		}
	}
}

// ClusterFindings returns what the answers show of several clusters: by the mesh's names
// of them, and by the label that the scrape or the metrics server gives all series of one.
// selector is the source's own.
func (t *Tally) ClusterFindings(label, selector string) []telemetry.Finding {
	found := condition.MeshClusters(t.clusters.named)
	values, same := map[string]bool{}, 0
	for value := range t.clusters.scraped {
		values[value] = true
	}
	for k, i := range t.sums {
		if r := t.reports.at(i); !k.isOpen() && (r.cluster[0] == severalClusters || r.cluster[1] == severalClusters) {
			same++
		}
	}
	found = append(found, condition.ClusterLabel(label, values, same, selector)...)
	if t.o.Trust.Identifies() {
		tolerate(found)
	}
	return found
}

// tolerate makes findings of several clusters such as do not stop the refresh. Where
// targets speak for themselves, only those that name several clusters are not believed:
// one of them must not silence all others.
func tolerate(found []telemetry.Finding) {
	for i := range found {
		found[i].Stops = false
		found[i].Why = "what an end reports of a pair under several clusters is left out (other-cluster)"
	}
}
