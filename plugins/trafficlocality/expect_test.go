package trafficlocality

import (
	"strings"
	"testing"
)

// TestPodsGatherForThoseThatCome: web calls db, of which pods are still to come, or to
// come again.
func TestPodsGatherForThoseThatCome(t *testing.T) {
	cases := map[string]struct {
		args, wanted, pods, want string
	}{
		"as many nodes as pods will come: anywhere":       {"routing: FairLoad", "web=4 db=4", "n1: web; n2: web; n3:", "skip"},
		"fewer will come: beside those that they come to": {"routing: FairLoad", "web=4 db=2", "n1: web; n2: web; n3:", "n1=100 n2=100 n3=0"},
		"one is left that can come to a third node":       {"routing: FairLoad", "web=6 db=3", "n1: web; n2: web; n3:", "skip"},
		"one that is there before one that comes":         {"routing: FairLoad", "web=4 db=2", "n1: web; n2: db; n3:", "n1=25 n2=100 n3=0"},
		"none comes any more: one that is there":          {"routing: FairLoad", "web=4 db=1", "n1: web; n2: db; n3:", "n1=0 n2=100 n3=0"},
		"calls to all alike: where the most pods are":     {"routing: Uniform, maxShare: {node: 1, zone: 1}", "web=4 db=2", "n1: web*2; n2: web; n3:", "n1=100 n2=50 n3=0"},
		"those that are there will come again":            {"routing: Uniform", "web=6 db=2", "n1: web*2; n2: web db; n3: db", "n1=29 n2=100 n3=86"},
		"those of a DaemonSet will not":                   {"routing: Uniform", "web=4", "n1: web; n2: db; n3: db", "n1=0 n2=100 n3=100"},
		"but not to pods that a rollout ends":             {"routing: Uniform", "web=4 db=2", "n1: web*2(old); n2: db; n3: db", "n1=0 n2=100 n3=100"},
		"no pod of the workload yet":                      {"routing: Uniform", "web=4 db=2", "n1:; n2:", "skip"},
		"up to the share of a node":                       {"routing: Uniform, maxShare: {node: 0.5}", "web=4 db=2", "n1: web*2; n2: web; n3:", "n1=0 n2=100 n3=0"},
		"in zones too":                                    {"routing: Uniform, closeness: {node: 0.5, zone: 0.5, region: 0}", "web=4 db=2", "n1@r/a: web; n2@r/a:; n3@r/b:", "n1=100 n2=100 n3=0"},
		"where no room is kept only what is there counts": {"routing: Uniform, reserveRoom: false", "web=4 db=2", "n1: web*2; n2: web; n3:", "skip"},
		"NetMARKS does not look ahead":                    {"strategy: NetMARKS", "web=4 db=2", "n1: web*2; n2: web; n3:", "skip"},
		"it is not known whether more will come":          {"routing: Uniform", "web=4", "n1: web*2; n2: web; n3:", "skip"},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, "significantRate: 0, requestBytes: 0, "+test.args)
			c.traffic("web -> db 1MiB/s")
			for _, word := range strings.Fields(test.wanted) {
				name, n, _ := strings.Cut(word, "=")
				c.want(name, int32(quantity(t, n)), c.sized(name, "1"))
			}
			c.assign(test.pods)
			if got := c.scoreText(c.pod("web")); got != test.want {
				t.Errorf("the scores are %s, want %s", got, test.want)
			}
		})
	}
}
