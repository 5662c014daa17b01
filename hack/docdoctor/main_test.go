package main

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vicinity-sched/vicinity/internal/doctor"
)

func TestPageIsUpToDate(t *testing.T) {
	got, err := os.ReadFile("../../" + page)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(render(doctor.Docs()), string(got)); diff != "" {
		t.Errorf("%s is out of date; renew it with: go run ./hack/docdoctor\n(-descriptions +page):\n%s", page, diff)
	}
}

// TestDescriptionsAreWhole: each check is described once.
func TestDescriptionsAreWhole(t *testing.T) {
	seen := map[string]bool{}
	for _, d := range doctor.Docs() {
		if seen[d.Check] || d.Check == "" || d.Group == "" || d.Meaning == "" || d.Severities == "" {
			t.Errorf("%+v is described twice, or not as a whole", d)
		}
		seen[d.Check] = true
	}
}
