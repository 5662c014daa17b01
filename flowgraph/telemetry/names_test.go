package telemetry

import (
	"strings"
	"testing"
)

func TestNamesAreDistinct(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range Reasons() {
		seen[r.String()] = true
	}
	for _, f := range Failures() {
		seen[f.String()] = true
	}
	for _, c := range Conditions() {
		if c != SeveralClusters { // which is a failure too
			seen[c.String()] = true
		}
	}
	if want := len(Reasons()) + len(Failures()) + len(Conditions()) - 1; len(seen) != want {
		t.Errorf("%d names for %d values", len(seen), want)
	}
	for name := range seen {
		if strings.Contains(name, "(") {
			t.Errorf("no name for %s", name)
		}
	}
}
