package trafficlocality

import (
	"testing"
	"time"

	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework"
)

func TestInfluence(t *testing.T) {
	cases := map[string]struct {
		age  time.Duration
		want string
	}{
		"from the future":     {-time.Minute, "n1=100 n2=0"},
		"fresh":               {time.Minute, "n1=100 n2=0"},
		"just stale":          {5 * time.Minute, "n1=100 n2=0"},
		"halfway":             {10 * time.Minute, "n1=50 n2=0"},
		"almost expired":      {14*time.Minute + 54*time.Second, "n1=1 n2=0"},
		"expired":             {15 * time.Minute, "skip"},
		"expired long before": {24 * time.Hour, "skip"},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, allOfIt+", staleAfter: 5m, expireAfter: 15m")
			c.traffic("web -> db 10MiB/s")
			c.assign("n1: db; n2:")
			c.now = dataTime.Add(test.age)
			if got := c.scoreText(c.pod("web")); got != test.want {
				t.Errorf("the scores are %s, want %s", got, test.want)
			}
		})
	}
}

func TestSkip(t *testing.T) {
	cases := map[string]struct {
		args          string
		traffic       string
		assign        string
		candidates    []string
		age           time.Duration
		wantReason    skipReason
		wantNotScored int
	}{
		"nothing was ever read": {
			assign: "n1: db", wantReason: skipNoData,
		},
		"the data are too old": {
			traffic: "web -> db 1MiB/s", assign: "n1: db", age: time.Hour, wantReason: skipExpired,
		},
		"the workload has no traffic": {
			traffic: "cart -> db 1MiB/s", assign: "n1: db cart", wantReason: skipNoTraffic,
		},
		"no peer runs": {
			traffic: "web -> db 1MiB/s", assign: "n1: cart; n2: db(terminating)", wantReason: skipNoPeers,
		},
		"the first pod of a workload that only talks to itself": {
			traffic: "web -> web 1MiB/s", assign: "n1: cart", wantReason: skipNoPeers,
		},
		"NetMARKS counts no traffic with itself": {
			args: "strategy: NetMARKS", traffic: "web -> web 1MiB/s", assign: "n1: web", wantReason: skipNoPeers,
		},
		"NetMARKS counts no requests": {
			args: "strategy: NetMARKS", traffic: "web -> db 100req/s", assign: "n1: db", wantReason: skipNoPeers,
		},
		"nothing is worth anything": {
			args: "closeness: {node: 0, zone: 0, region: 0}", traffic: "web -> db 1MiB/s", assign: "n1: db", wantReason: skipNoPeers,
		},
		"the peers' nodes are not among the candidates": {
			traffic: "web -> db 1MiB/s", assign: "n1: db; n2:; n3:", candidates: []string{"n2", "n3"},
			wantReason: skipNoPeers, wantNotScored: 1,
		},
		"a candidate in the peer's zone is close": {
			traffic: "web -> db 1MiB/s", assign: "n1@r/a: db; n2@r/a:", candidates: []string{"n2"},
			wantNotScored: 1,
		},
		"a node as close as the peers' is a candidate": {
			traffic: "web -> db 1MiB/s", assign: "n1: db; n2: db; n3:", candidates: []string{"n2", "n3"},
		},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, test.args)
			if test.traffic != "" {
				c.traffic(test.traffic)
			}
			c.assign(test.assign)
			c.now = dataTime.Add(test.age)
			if got := c.scores(c.pod("web"), c.nodes(test.candidates...)); (got == nil) != (test.wantReason != notSkipped) {
				t.Errorf("the scores are %v, want reason %v", got, test.wantReason)
			}
			for _, reason := range skipReasons() {
				want := 0
				if reason == test.wantReason {
					want = 1
				}
				if got := count(t, c.metrics.skips.With(reason.String())); got != want {
					t.Errorf("cycles skipped for %v: %d, want %d", reason, got, want)
				}
			}
			if got := count(t, c.metrics.notAmong); got != test.wantNotScored {
				t.Errorf("cycles without the peers' nodes: %d, want %d", got, test.wantNotScored)
			}
		})
	}
}

func TestNodesAreMeasuredAgainstTheBestCandidate(t *testing.T) {
	c := newCluster(t, allOfIt)
	c.traffic("web -> db 1MiB/s")
	c.assign("n1@r/a: db; n2@r/a:; n3@r/b:")
	if got, want := c.scoreText(c.pod("web"), "n2", "n3"), "n2=100 n3=20"; got != want {
		t.Errorf("the scores without the peer's node are %s, want %s", got, want)
	}

	// A node that was no candidate may be better than the best: it has all points.
	state, pod := framework.NewCycleState(), c.pod("web")
	if status := c.plugin.PreScore(t.Context(), state, pod, c.nodes("n3")); !status.IsSuccess() {
		t.Fatal(status)
	}
	for _, info := range c.nodes() {
		if score, _ := c.plugin.Score(t.Context(), state, pod, info); score != 100 {
			t.Errorf("%s scores %d beside the candidate n3, want 100", info.Node().Name, score)
		}
	}
}

func TestScoreWithoutPreScore(t *testing.T) {
	c := newCluster(t, allOfIt)
	c.traffic("web -> db 1MiB/s")
	c.assign("n1: db")
	seen := c.nodes()[0]

	state := framework.NewCycleState()
	if score, status := c.plugin.Score(t.Context(), state, c.pod("web"), seen); score != 0 || !status.IsSuccess() {
		t.Errorf("without PreScore a node scores %d, %v", score, status)
	}
	if status := c.plugin.PreScore(t.Context(), state, c.pod("web"), c.nodes()); !status.IsSuccess() {
		t.Fatal(status)
	}
	c.assign("n2: db")
	unseen := c.nodes("n2")[0]
	for _, s := range []fwk.CycleState{state, state.Clone()} {
		if score, status := c.plugin.Score(t.Context(), s, c.pod("web"), seen); score != 100 || !status.IsSuccess() {
			t.Errorf("a node scores %d, %v; want 100", score, status)
		}
	}
	if score, status := c.plugin.Score(t.Context(), state, c.pod("web"), unseen); score != 0 || !status.IsSuccess() {
		t.Errorf("a node that PreScore did not see scores %d, %v", score, status)
	}
	c.scores(c.pod("web"), c.nodes())
	if score, status := c.plugin.Score(t.Context(), state, c.pod("web"), unseen); score != 0 || !status.IsSuccess() {
		t.Errorf("a node that only a later PreScore saw scores %d, %v", score, status)
	}
	if c.plugin.ScoreExtensions() != nil {
		t.Error("the scores are normalised once more")
	}
}

func TestSilent(t *testing.T) {
	c := newCluster(t, "")
	c.assign("n1: db")
	state := framework.NewCycleState()
	if status := (Silent{}).PreScore(t.Context(), state, c.pod("web"), c.nodes()); !status.IsSkip() {
		t.Errorf("PreScore answers %v", status)
	}
	if score, status := (Silent{}).Score(t.Context(), state, c.pod("web"), c.nodes()[0]); score != 0 || !status.IsSuccess() {
		t.Errorf("Score answers %d, %v", score, status)
	}
	if fragments, status := (Silent{}).SignPod(t.Context(), c.pod("web")); len(fragments) != 0 || !status.IsSuccess() {
		t.Errorf("SignPod answers %v, %v", fragments, status)
	}
	if (Silent{}).Name() != Name || (Silent{}).ScoreExtensions() != nil {
		t.Error("Silent does not stand in the plugin's place")
	}
}
