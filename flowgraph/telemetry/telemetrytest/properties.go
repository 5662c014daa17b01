package telemetrytest

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
)

// property is something that a source must cope with.
type property struct {
	name  string
	check func(*trial) error
}

func properties() []property {
	return []property{
		{"steady traffic", (*trial).steady},
		{"traffic comes and goes", simulated(comesAndGoes)},
		{"counters begin anew", simulated(countersBeginAnew)},
		{"proxies restart", simulated(proxiesRestart)},
		{"pods crash", simulated(podsCrash)},
		{"pods are replaced", simulated(podsAreReplaced)},
		{"nobody scrapes for a minute", simulated(nobodyScrapes)},
		{"targets cannot be scraped for a minute", simulated(targetsAreDown)},
		{"clients without proxies", simulated(func(s *simulation) { s.bare("shop", "web", replicas); s.run(window + time.Minute) })},
		{"servers without proxies", simulated(func(s *simulation) { s.bare("shop", "api", replicas); s.run(window + time.Minute) })},
		{"half of the pods at one end without proxies", simulated(halfAtOneEnd)},
		{"half of the pods at both ends without proxies", simulated(halfAtBothEnds)},
		{"two jobs scrape each target", (*trial).scrapedTwice},
		{"optional labels are missing", (*trial).optionalLabels},
		{"labels are missing that name the ends", (*trial).otherLabels},
		{"requests are retried", simulated(func(s *simulation) { s.retried = 0.3; s.run(window + time.Minute) })},
		{"requests are long streams", simulated(longStreams)},
	}
}

// simulated is a property of what a source sees all along a simulation.
func simulated(script func(*simulation)) func(*trial) error {
	return func(tr *trial) error {
		s := newSimulation(tr.mesh)
		script(s)
		return tr.follow(s)
	}
}

// steady: where all is well, nothing is found that is not.
func (tr *trial) steady() error {
	s := newSimulation(tr.mesh)
	s.run(window + 2*time.Minute)
	_, found, err := tr.findings(s, "")
	for _, f := range found {
		err = errors.Join(err, fmt.Errorf("all is well, but the source finds %v: %s", f.Condition, f.Text()))
	}
	return errors.Join(err, tr.follow(s))
}

// comesAndGoes lets the largest edge begin late, and another end.
func comesAndGoes(s *simulation) {
	const largest, small = 4, 3
	s.silent[largest] = true
	s.run(window)
	delete(s.silent, largest)
	s.silent[small] = true
	s.blind = append(s.blind, span{s.now() + 1, s.now() + window - 1})
	s.run(2 * window)
}

// countersBeginAnew makes all proxies restart at once, between two scrapes.
func countersBeginAnew(s *simulation) {
	s.run(window)
	s.advance()
	for _, t := range s.targets() {
		s.restart(t)
	}
	s.advance()
	s.scrape()
	s.run(window + time.Minute)
}

// proxiesRestart makes one proxy after the other miss a scrape and begin anew.
func proxiesRestart(s *simulation) {
	s.run(window)
	for _, t := range s.targets() {
		s.advance()
		s.restart(t)
		s.down[t] = true
		s.advance()
		s.scrape()
		delete(s.down, t)
		s.run(4 * interval)
	}
	s.run(window)
}

// podsCrash takes one pod after the other away for half a minute.
func podsCrash(s *simulation) {
	s.run(window)
	for _, id := range s.workloads() {
		for range replicas {
			s.crash(id, 6*interval)
			s.run(2 * interval)
		}
	}
	s.run(window)
}

// podsAreReplaced updates one workload after the other. Each pod makes room for a new one.
func podsAreReplaced(s *simulation) {
	s.run(window)
	for _, id := range s.workloads() {
		for range replicas {
			s.replace(id)
			s.run(2 * interval)
		}
	}
	s.run(window)
}

// nobodyScrapes has a metrics server that is gone for a minute.
func nobodyScrapes(s *simulation) {
	s.run(window)
	s.outage = true
	s.gap()
	s.outage = false
	s.run(window + 3*time.Minute)
}

// targetsAreDown has targets that answer no scrape for a minute, and go on counting.
func targetsAreDown(s *simulation) {
	s.run(window)
	for i, t := range s.targets() {
		if i%2 == 0 {
			s.down[t] = true
		}
	}
	s.gap()
	clear(s.down)
	s.run(window + 3*time.Minute)
}

// gap is a minute that no rate sees while it is at the edge of the window.
func (s *simulation) gap() {
	began := s.now()
	s.run(time.Minute)
	s.blind = append(s.blind, span{began - interval, s.now() + interval})
}

// isBlind reports whether a window that begins or ends at a time may miss something.
func (s *simulation) isBlind(at time.Duration) bool {
	return slices.ContainsFunc(s.blind, func(b span) bool { return at >= b.from && at <= b.to })
}

// halfAtOneEnd takes proxies from workloads that have no traffic with each other.
func halfAtOneEnd(s *simulation) {
	s.bare("shop", "web", replicas/2)
	s.bare("pay", "ledger", replicas/2)
	s.run(window + time.Minute)
}

// halfAtBothEnds: where proxies know peers that have none, either end may see calls that the
// other does not, and nobody can tell which both see. Of three calls in four, that is two.
func halfAtBothEnds(s *simulation) {
	for _, id := range s.workloads() {
		s.bare(id.Namespace, id.Name, replicas/2)
	}
	s.least = 2.0 / 3
	s.run(window + time.Minute)
}

// longStreams begins with a time in which no stream has ended.
func longStreams(s *simulation) {
	s.long = true
	s.blind = append(s.blind, span{0, streamLasts}, span{window, window + streamLasts})
	s.run(2*window + streamLasts)
}

// scrapedTwice demands that the source counts all once, or says what to set so that it does.
func (tr *trial) scrapedTwice() error {
	s := newSimulation(tr.mesh)
	s.twice = true
	s.run(window + time.Minute)
	_, found, err := tr.findings(s, "")
	if err != nil {
		return err
	}
	selector := ""
	for _, f := range found {
		if f.Condition == telemetry.ScrapedTwice && f.Setting == "selector" {
			selector = f.Value
		}
	}
	o, found, err := tr.findings(s, selector)
	for _, f := range found {
		err = errors.Join(err, fmt.Errorf("with the selector %s it finds %v: %s", selector, f.Condition, f.Text()))
	}
	return errors.Join(err, compareWith(s.books.wanted(s.now(), tr.mesh.Tolerance), o, s.least))
}

// optionalLabels takes all optional labels away, and every other one.
func (tr *trial) optionalLabels() error {
	var some [2][]string
	for i, label := range tr.mesh.Optional {
		some[i%2] = append(some[i%2], label)
	}
	return errors.Join(tr.missing(1, tr.mesh.Optional...), tr.missing(1, some[0]...), tr.missing(1, some[1]...))
}

// otherLabels takes all other labels away, one at a time: the source may see less, but
// nothing that is not there.
func (tr *trial) otherLabels() error {
	labels := map[string]bool{}
	s := newSimulation(tr.mesh)
	s.run(interval)
	for _, of := range s.order {
		for label := range of.labels {
			labels[label] = !slices.Contains(tr.mesh.Optional, label)
		}
	}
	for _, label := range slices.Sorted(maps.Keys(labels)) {
		if !labels[label] {
			continue
		}
		if err := tr.missing(0, label); err != nil {
			return err
		}
	}
	return nil
}

// missing demands so much of what a source sees without labels.
func (tr *trial) missing(least float64, labels ...string) error {
	s := newSimulation(tr.mesh)
	s.without, s.least = labels, least
	s.run(window + interval)
	o, _, err := tr.findings(s, "")
	if slices.ContainsFunc(labels, func(l string) bool { return slices.Contains(tr.mesh.Distinct, l) }) {
		o.LeftOut = nil
	}
	err = errors.Join(err, compareWith(s.books.wanted(s.now(), tr.mesh.Tolerance), o, s.least))
	if err != nil {
		return fmt.Errorf("without the labels %v: %w", labels, err)
	}
	return nil
}
