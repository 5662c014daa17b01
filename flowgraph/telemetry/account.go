package telemetry

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Account adds up over the steps of a recording what did not become a flow, and
// counts the steps in which conditions were found. The zero value is empty.
type Account struct {
	answered time.Duration // the length of the steps in which sources answered
	steps    int           // how many these are
	leftOut  map[accountKey]float64
	found    map[foundKey]*Lasted
}

type accountKey struct {
	source string
	reason Reason
}

// foundKey tells findings apart. What they say has counts in it that change from
// step to step; where a source can have several of a condition, about gives the
// difference.
type foundKey struct {
	source    string
	condition Condition
	about     string
}

// LeftOutBytes is traffic over a whole recording that did not become a flow.
type LeftOutBytes struct {
	Source string
	// Reason is a Reason's String.
	Reason string
	// Bytes is all of it in both directions, BytesPerSecond its mean over the steps in
	// which the sources answered. Both are 0 for series whose traffic is not known or
	// not believed.
	Bytes, BytesPerSecond float64
}

// Lasted is a finding of one source with the number of steps that had it.
type Lasted struct {
	Source string
	// Finding is that of the last of these steps.
	Finding
	// Steps had it, of those in which the sources answered.
	Steps, Of int
}

// Add takes what the sources saw in a step of some length. A step in which they did
// not answer is not part of the account.
func (a *Account) Add(o Observed, length time.Duration) {
	if len(o.Sources) == 0 {
		return
	}
	if a.leftOut == nil {
		a.leftOut, a.found = map[accountKey]float64{}, map[foundKey]*Lasted{}
	}
	a.answered += length
	a.steps++
	for _, s := range o.Sources {
		for reason, l := range s.LeftOut {
			a.leftOut[accountKey{s.Name, reason}] += l.BytesPerSecond * length.Seconds()
		}
		for _, f := range s.Findings {
			key := foundKey{s.Name, f.Condition, f.About}
			if a.found[key] == nil {
				a.found[key] = &Lasted{Source: s.Name}
			}
			a.found[key].Finding = f
			a.found[key].Steps++
		}
	}
}

// LeftOut returns what was left out, by source and in the order of Reasons.
func (a *Account) LeftOut() []LeftOutBytes {
	keys := make([]accountKey, 0, len(a.leftOut))
	for key := range a.leftOut {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(x, y accountKey) int {
		return cmp.Or(cmp.Compare(x.source, y.source), cmp.Compare(x.reason, y.reason))
	})
	var all []LeftOutBytes
	for _, key := range keys {
		bytes := a.leftOut[key]
		all = append(all, LeftOutBytes{
			Source: key.source, Reason: key.reason.String(), Bytes: bytes, BytesPerSecond: bytes / max(a.answered.Seconds(), 1e-9),
		})
	}
	return all
}

// Findings returns what was found, by source and in the order of Conditions.
func (a *Account) Findings() []Lasted {
	var all []Lasted
	for _, l := range a.found {
		l.Of = a.steps
		all = append(all, *l)
	}
	slices.SortFunc(all, func(x, y Lasted) int {
		return cmp.Or(cmp.Compare(x.Source, y.Source), cmp.Compare(x.Condition, y.Condition), cmp.Compare(x.What, y.What))
	})
	return all
}

// Note returns the finding as a note of a recording. It may have names of the cluster's.
func (l Lasted) Note() string {
	steps := ""
	if l.Steps < l.Of {
		steps = fmt.Sprintf(" in %d of %d steps", l.Steps, l.Of)
	}
	return fmt.Sprintf("%s: %s%s: %s", l.Source, l.Text(), steps, l.Why)
}
