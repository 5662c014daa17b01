package kubesim

import (
	"slices"
	"testing"

	"github.com/vicinity-sched/vicinity/flowgraph/sim"
	"github.com/vicinity-sched/vicinity/internal/schedulerconfig"
)

func TestWarnings(t *testing.T) {
	const header = "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n"
	plain, err := schedulerconfig.Parse("a", []byte(header))
	if err != nil {
		t.Fatal(err)
	}
	extended, err := schedulerconfig.Parse("b", []byte(header+"extenders: [{urlPrefix: 'http://x', filterVerb: filter}]\n"))
	if err != nil {
		t.Fatal(err)
	}
	got := Warnings([]Run{{Name: "a", Config: plain}, {Name: "b", Config: extended}})
	want := []string{"b: 1 extender of the configuration is not called: a replay places pods as if it did not exist"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestSeedsWarning(t *testing.T) {
	for _, c := range []struct {
		order sim.Order
		asked int
		want  []string
	}{
		{sim.Recorded, 0, nil},
		{sim.Recorded, 1, nil},
		{sim.Recorded, 7, []string{"--seeds 7: the order recorded leaves nothing to chance, so each run was replayed once"}},
		{sim.Random, 7, nil},
	} {
		if got := SeedsWarning(c.order, c.asked); !slices.Equal(got, c.want) {
			t.Errorf("%s, %d seeds: %q, want %q", c.order, c.asked, got, c.want)
		}
	}
}

func TestFollowedWarnings(t *testing.T) {
	still, moved := []*sim.Course{{}}, []*sim.Course{{}, {Decisions: 1}}
	for name, c := range map[string]struct {
		runs [][]*sim.Course
		want int
	}{
		"no runs":           {nil, 0},
		"nothing placed":    {[][]*sim.Course{still, still}, 1},
		"a pod in one seed": {[][]*sim.Course{still, moved}, 0},
	} {
		if got := (&Followed{Runs: c.runs}).Warnings(); len(got) != c.want {
			t.Errorf("%s: %q, want %d", name, got, c.want)
		}
	}
}
