package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vicinity-sched/vicinity/flowgraph/sim"
	"github.com/vicinity-sched/vicinity/internal/kube/history"
)

// script writes a program that runs with $dir set to where its input is, and $out
// to where it is to write.
func script(t *testing.T, body string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "peer")
	text := "#!/bin/sh\nset -e\n[ \"$1 $3 $5\" = '-cluster -edges -o' ] && [ -s \"$2\" ] && [ -s \"$4\" ]\nout=$6\n" + body + "\n"
	if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func shopSet(order sim.Order) dataset { return dataset{"shop", history.Synthetic(shop()), order} }

func TestReplayPeers(t *testing.T) {
	// With seed 2 it leaves a pod out.
	program := script(t, `shift 6
echo workload,node,pods > "$out"
echo shop/agent,small,1 >> "$out"
echo shop/db,large,1 >> "$out"
case "$*" in
*"-seed 2"*) echo shop/web,large,1 >> "$out" ;;
*) echo shop/web,large,2 >> "$out" ;;
esac`)
	for order, want := range map[sim.Order]string{
		sim.Random: "networkoverhead networkoverhead-topological", sim.ByWorkload: "networkoverhead", sim.Rollout: "",
	} {
		runs, err := replayPeers(context.Background(), program, shopSet(order), 2)
		if err != nil {
			t.Fatalf("%v: %v", order, err)
		}
		var names []string
		for _, run := range runs {
			names = append(names, run.Name)
			if len(run.PerSeed) != 2 || run.PerSeed[0].Unschedulable != 0 || run.PerSeed[1].Unschedulable != 1 {
				t.Errorf("%v: %s: got %+v, want none unschedulable, then one", order, run.Name, run.PerSeed)
			}
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%v: got the runs %q, want %q", order, got, want)
		}
	}
}

func TestReplayPeersSaysWhatThePeerSaid(t *testing.T) {
	program := script(t, "echo no nodes here >&2; exit 3")
	_, err := replayPeers(context.Background(), program, shopSet(sim.ByWorkload), 1)
	if err == nil || !strings.Contains(err.Error(), "networkoverhead, seed 1") || !strings.Contains(err.Error(), "no nodes here") {
		t.Errorf("got %v, want the run, the seed and what the program said", err)
	}
}
