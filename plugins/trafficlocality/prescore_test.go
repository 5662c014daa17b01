package trafficlocality

import (
	"cmp"
	"strings"
	"testing"

	v1 "k8s.io/api/core/v1"
	"k8s.io/klog/v2"
)

func TestScores(t *testing.T) {
	nodeOnly := allOfIt + ", reserveRoom: false, closeness: {node: 1, zone: 0, region: 0}"
	fairLoad := nodeOnly + ", routing: FairLoad"
	netmarks := "strategy: NetMARKS, significantRate: 0"
	cases := map[string]struct {
		args    string
		traffic string
		assign  string
		desired string
		want    string // of one more pod of web
	}{
		"the callee's node wins": {
			args: nodeOnly, traffic: "web -> db 10MiB/s",
			assign: "n1: db; n2: cart; n3:", want: "n1=100 n2=0 n3=0",
		},
		"the caller's node wins": {
			args: nodeOnly, traffic: "gateway -> web 10MiB/s",
			assign: "n1: gateway; n2: cart", want: "n1=100 n2=0",
		},
		"callers and callees add up": {
			args: nodeOnly, traffic: "gateway -> web 30B/s; web -> db 50B/s; web -> cart 40B/s",
			assign: "n1: gateway; n2: db; n3: cart gateway; n4: db cart gateway", desired: "gateway=3",
			// n1: 30/3; n2: 50/2; n3: 40/2 + 10.
			want: "n1=18 n2=45 n3=55 n4=100",
		},
		"both directions of an edge count": {
			args: nodeOnly, traffic: "web -> db 10B/s back 30B/s; web -> cart 20B/s",
			assign: "n1: db; n2: cart", want: "n1=100 n2=50",
		},
		"a peer that is both caller and callee counts twice": {
			args: nodeOnly, traffic: "web -> db 10B/s; db -> web 10B/s; web -> cart 10B/s",
			assign: "n1: db; n2: cart", want: "n1=100 n2=50",
		},
		"requests count beside their bytes": {
			args: "significantRate: 0, requestBytes: 10, closeness: {zone: 0, region: 0}", traffic: "web -> db 100B/s; web -> cart 10B/s 4req/s",
			assign: "n1: db; n2: cart", want: "n1=100 n2=50",
		},
		"a node counts by its share of the peer's pods": {
			args: nodeOnly, traffic: "web -> db 10MiB/s",
			assign: "n1: db*3; n2: db; n3:", want: "n1=100 n2=33 n3=0",
		},
		"other workloads' traffic does not matter": {
			args: nodeOnly, traffic: "web -> db 1KiB/s; cart -> gateway 10MiB/s",
			assign: "n1: db; n2: cart gateway", want: "n1=100 n2=0",
		},
		"node, zone and region by their default closeness": {
			args: allOfIt, traffic: "web -> db 10MiB/s",
			assign: "n1@r1/a: db; n2@r1/a:; n3@r1/b:; n4@r2/a:", want: "n1=100 n2=50 n3=10 n4=0",
		},
		"many peers in the zone against one on the node": {
			args: allOfIt, traffic: "web -> db 10MiB/s",
			assign: "n1@r/a: db; n2@r/b: db*2; n3@r/b: db*2; n4@r/b:",
			// n1: 1 of 5 on node, zone and 5 in the region: 0.5/5+0.4/5+0.1;
			// n2: 0.5*2/5 + 0.4*4/5 + 0.1; n4: 0.4*4/5 + 0.1.
			want: "n1=45 n2=100 n3=100 n4=68",
		},
		"an unknown zone is shared with nobody": {
			args: allOfIt, traffic: "web -> db 10MiB/s",
			assign: "n1@r1: db; n2@r1:; n3: db; n4:; n5@r2:",
			// n1: 0.5/2 on the node + 0.1/2 in the region; n2: 0.1/2; n3: 0.5/2.
			want: "n1=100 n2=17 n3=83 n4=0 n5=0",
		},
		"terminating and finished pods do not count": {
			args: nodeOnly, traffic: "web -> db 10MiB/s",
			assign: "n1: db; n2: db*5(terminating) db(succeeded) db(failed)", want: "n1=100 n2=0",
		},
		"the share of pods that a rollout ends is free": {
			args: fairLoad, traffic: "web -> db 100B/s; web -> cart 100B/s",
			assign: "n1: db web(old); n2: cart web", desired: "web=2 db=2 cart=2", want: "n1=100 n2=0",
		},
		"a rollout's surplus peers do not count": {
			args: nodeOnly, traffic: "web -> db 100B/s; web -> cart 100B/s",
			assign: "n1: db*3; n2: cart", desired: "db=2 cart=1", want: "n1=100 n2=100",
		},
		"a rollout's new pod is drawn to where the old one is": {
			args: nodeOnly, traffic: "web -> db 10MiB/s",
			assign: "n1: web db; n2:", desired: "web=1 db=1", want: "n1=100 n2=0",
		},
		"a rollout's new pod under fair load": {
			args: fairLoad, traffic: "web -> db 10MiB/s",
			assign: "n1: web db; n2: web", desired: "web=1 db=1", want: "n1=100 n2=0",
		},
		"peers that have yet to come keep their share": {
			args: nodeOnly, traffic: "web -> db 100B/s; web -> cart 100B/s",
			assign: "n1: db; n2: cart", desired: "db=4 cart=1", want: "n1=25 n2=100",
		},
		"uniform routing does not tire of own pods": {
			args: nodeOnly, traffic: "web -> db 10MiB/s",
			assign: "n1: web*2 db; n2: db", desired: "web=4", want: "n1=100 n2=100",
		},
		"fair load is served when the peer's share is": {
			args: fairLoad, traffic: "web -> db 10MiB/s",
			assign: "n1: web*2 db; n2: web db", desired: "web=4", want: "n1=0 n2=100",
		},
		"traffic with its own pods draws pods together": {
			args: nodeOnly, traffic: "web -> web 100B/s; web -> db 100B/s",
			// d=4: n1 gains 100*2*2/(4*3), n2 100/4.
			assign: "n1: web*2; n2: db", desired: "web=4", want: "n1=100 n2=75",
		},
		"NetMARKS is w xb/db of bytes on the node": {
			args: netmarks, traffic: "web -> db 30B/s back 30B/s 1000req/s; cart -> web 20B/s; web -> web 1MiB/s",
			assign: "n1@r/a: db*2 web; n2@r/a: db cart; n3@r/a: web; n4@r/a: cart",
			// 60*2/3 = 40; 60/3 + 20/2 = 30; 0; 10.
			want: "n1=100 n2=75 n3=0 n4=25",
		},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, test.args)
			c.traffic(test.traffic)
			c.assign(test.assign)
			c.desire(test.desired)
			if got := c.scoreText(c.pod("web")); got != test.want {
				t.Errorf("the scores are %s, want %s", got, test.want)
			}
		})
	}
}

// TestMaxShare places one more pod of web, which has traffic with db on n1 and
// less with cart on n2.
func TestMaxShare(t *testing.T) {
	cases := map[string]struct {
		strategy   string // Gain under uniform routing by default
		args       string
		assign     string
		desired    string
		candidates string
		want       string
	}{
		"one always":                  {assign: "n1: db; n2: cart", desired: "web=1", want: "n1=100 n2=50"},
		"the second of two elsewhere": {assign: "n1: db web; n2: cart", desired: "web=2", want: "n1=0 n2=100"},
		"two thirds of six":           {assign: "n1: db web*3; n2: cart", desired: "web=6", want: "n1=100 n2=50"},
		"not more than two thirds":    {assign: "n1: db web*4; n2: cart", desired: "web=6", want: "n1=0 n2=100"},
		"half of four":                {args: ", maxShare: {node: 0.5}", assign: "n1: db web; n2: cart", desired: "web=4", want: "n1=100 n2=50"},
		"not more than half":          {args: ", maxShare: {node: 0.5}", assign: "n1: db web*2; n2: cart", desired: "web=4", want: "n1=0 n2=100"},
		"half of five, rounded up":    {args: ", maxShare: {node: 0.5}", assign: "n1: db web*2; n2: cart", desired: "web=5", want: "n1=100 n2=50"},
		"0.34 of 150 are 51":          {args: ", maxShare: {node: 0.34}", assign: "n1: db web*51; n2: cart", desired: "web=150", want: "n1=0 n2=100"},
		"never all":                   {args: ", maxShare: {node: 0.9}", assign: "n1: db web; n2: cart", desired: "web=2", want: "n1=0 n2=100"},
		"no bound":                    {args: ", maxShare: {node: 1, zone: 1}", assign: "n1: db web*3; n2: cart", desired: "web=4", want: "n1=100 n2=50"},
		"one is leaving":              {args: ", maxShare: {node: 0.5}", assign: "n1: db web*2; n2: cart web*2", desired: "web=4", want: "n1=100 n2=50"},
		"those that a rollout ends":   {assign: "n1: db web*2(old); n2: cart", desired: "web=2", want: "n1=100 n2=50"},
		"one that a rollout brought":  {assign: "n1: db web; n2: cart web(old)", desired: "web=2", want: "n1=0 n2=100"},
		"of a zone":                   {args: ", maxShare: {node: 1, zone: 0.5}", assign: "n1@r/a: db; n3@r/a: web; n2@r/b: cart", desired: "web=2", want: "n1=0 n2=100 n3=0"},
		"two thirds of a zone":        {assign: "n1@r/a: db; n3@r/a: web*2; n2@r/b: cart", desired: "web=3", want: "n1=0 n2=100 n3=0"},
		"the only zone":               {assign: "n1@r/a: db; n3@r/a: web*2; n2@r/a: cart", desired: "web=3", want: "n1=100 n2=50 n3=0"},
		"the only zone that fits":     {assign: "n1@r/a: db; n3@r/a: web*2; n2@r/b: cart; n4@r/a: cart", desired: "web=3", candidates: "n1 n3 n4", want: "n1=100 n3=0 n4=25"},
		"beside a node of no zone":    {assign: "n1@r/a: db; n3@r/a: web*2; n2: cart", desired: "web=3", want: "n1=0 n2=100 n3=0"},
		"NetMARKS has none":           {strategy: "strategy: NetMARKS", assign: "n1: db web; n2: cart", desired: "web=2", want: "n1=100 n2=50"},
		"NetMARKS with one":           {strategy: "strategy: NetMARKS", args: ", maxShare: {node: 0.66}", assign: "n1: db web; n2: cart", desired: "web=2", want: "n1=0 n2=100"},
		"NetMARKS with one of a zone": {strategy: "strategy: NetMARKS", args: ", maxShare: {zone: 0.5}", assign: "n1@r/a: db; n3@r/a: web; n2@r/b: cart", desired: "web=2", want: "n1=0 n2=100 n3=0"},
		"the only node that fits":     {assign: "n1: db web; n2: cart", desired: "web=2", candidates: "n1", want: "n1=100"},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, "significantRate: 0, requestBytes: 0, reserveRoom: false, closeness: {zone: 0.000001, region: 0}, "+cmp.Or(test.strategy, "routing: Uniform")+test.args)
			c.traffic("web -> db 10MiB/s; web -> cart 5MiB/s")
			c.assign(test.assign)
			c.desire(test.desired)
			if got := c.scoreText(c.pod("web"), strings.Fields(test.candidates)...); got != test.want {
				t.Errorf("the scores are %s, want %s", got, test.want)
			}
		})
	}
}

func TestSignificance(t *testing.T) {
	const by32 = "significantRate: 32Ki, requestBytes: 0"
	cases := map[string]struct {
		traffic string
		desired string
		args    string
		want    string
	}{
		"one byte per second decides nothing":  {traffic: "web -> db 1B/s", desired: "web=1", want: "n1=2 n2=0"},
		"half a say at the significant rate":   {traffic: "web -> db 32KiB/s", desired: "web=1", args: by32, want: "n1=50 n2=0"},
		"much more has almost all":             {traffic: "web -> db 10MiB/s", desired: "web=1", args: by32, want: "n1=100 n2=0"},
		"the rate is that of one pod":          {traffic: "web -> db 128KiB/s", desired: "web=4", args: by32, want: "n1=50 n2=0"},
		"callers count":                        {traffic: "db -> web 16KiB/s back 16KiB/s", desired: "web=1", args: by32, want: "n1=50 n2=0"},
		"peers that run nowhere count":         {traffic: "web -> db 16KiB/s; web -> cart 16KiB/s", desired: "web=1", args: by32, want: "n1=50 n2=0"},
		"traffic with itself counts":           {traffic: "web -> db 16KiB/s; web -> web 16KiB/s", desired: "web=1", args: by32, want: "n1=50 n2=0"},
		"as much as all others":                {traffic: "web -> db 10MiB/s; a -> b 10MiB/s", desired: "web=1 db=1 a=1 b=1", want: "n1=100 n2=0"},
		"others have less":                     {traffic: "web -> db 10MiB/s; a -> b 1MiB/s", desired: "web=1 db=1 a=1 b=1", want: "n1=100 n2=0"},
		"two of four have three times as much": {traffic: "web -> db 1MiB/s; a -> b 3MiB/s", desired: "web=1 db=1 a=1 b=1", want: "n1=54 n2=0"},
		"two of four have much more":           {traffic: "web -> db 1MiB/s; a -> b 300GiB/s", desired: "web=1 db=1 a=1 b=1", want: "n1=35 n2=0"},
		"of one pod":                           {traffic: "web -> db 1MiB/s; a -> b 3MiB/s", desired: "web=1 db=1 a=3 b=3", want: "n1=100 n2=0"},
		"others without pods":                  {traffic: "web -> db 1MiB/s; a -> b 3MiB/s", desired: "web=1 db=1", want: "n1=100 n2=0"},
		"small, but not less than others":      {traffic: "web -> db 1KiB/s", desired: "web=1 db=1", want: "n1=100 n2=0"},
		"NetMARKS has a rate of its own":       {traffic: "web -> db 10MiB/s", desired: "web=1 db=1", args: "strategy: NetMARKS", want: "n1=100 n2=0"},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, test.args)
			c.traffic(test.traffic)
			c.assign("n1: db; n2:")
			c.desire(test.desired)
			if got := c.scoreText(c.pod("web")); got != test.want {
				t.Errorf("the scores are %s, want %s", got, test.want)
			}
		})
	}
}

// TestPeersFollowWhatIsWanted: what controllers want of the peers counts from the next
// pod on.
func TestPeersFollowWhatIsWanted(t *testing.T) {
	c := newCluster(t, allOfIt+", closeness: {zone: 0, region: 0}")
	c.traffic("web -> db 100B/s; web -> cart 100B/s; web -> cache 100B/s")
	c.assign("n1:; n2: cart")
	db := c.place(c.pod("db"), "n1")
	c.desire("db=4 cart=1 cache=1")
	c.update()
	steps := []struct {
		change func()
		want   string
	}{
		{func() {}, "n1=25 n2=100"},
		{func() { c.desire("db=2") }, "n1=50 n2=100"},
		{func() { c.desire("db=1") }, "n1=100 n2=100"},
		{func() { c.desire("db=4") }, "n1=25 n2=100"},
		{func() { // cache takes db's place on the Board too
			if err := c.cache.RemovePod(klog.Background(), db); err != nil {
				t.Fatal(err)
			}
			c.desire("cache=2")
			c.update()
			c.scores(c.pod("web"), c.nodes())
			c.place(c.pod("cache"), "n1")
			c.update()
		}, "n1=50 n2=100"},
	}
	for i, step := range steps {
		step.change()
		if got := c.scoreText(c.pod("web")); got != step.want {
			t.Errorf("step %d: the scores are %s, want %s", i, got, step.want)
		}
	}
}

// TestPeersThatCannotServe places one more pod of web, which calls db with 100 B/s and
// cart with 50 B/s.
func TestPeersThatCannotServe(t *testing.T) {
	cases := map[string]struct {
		assign      string
		desired     string
		unreachable string
		want        string
	}{
		"those that are not ready will be":           {assign: "n1: db(unready); n2: db; n3: cart", desired: "db=2 cart=1", want: "n1=100 n2=100 n3=100"},
		"those that are starting":                    {assign: "n1: db(pending); n2: db; n3: cart", desired: "db=2 cart=1", want: "n1=100 n2=100 n3=100"},
		"those of unknown phase may never":           {assign: "n1: db(unknown); n2: db; n3: cart", desired: "db=2 cart=1", want: "n1=0 n2=100 n3=100"},
		"those that crash":                           {assign: "n1: db(crashing); n2: db; n3: cart", desired: "db=2 cart=1", want: "n1=0 n2=100 n3=100"},
		"those of an unreachable node":               {assign: "n1: db; n2: db; n3: cart", desired: "db=2 cart=1", unreachable: "n1", want: "n1=0 n2=100 n3=100"},
		"calls are not divided over those":           {assign: "n1: db(crashing); n2: db; n3: cart", desired: "db=1 cart=1", want: "n1=0 n2=100 n3=50"},
		"a surplus that serves takes its part":       {assign: "n1: db; n2: db; n3: cart", desired: "db=1 cart=1", want: "n1=100 n2=100 n3=100"},
		"so does one that is starting, in a rollout": {assign: "n1: db(old); n2: db(pending); n3: cart", desired: "db=1 cart=1", want: "n1=100 n2=100 n3=100"},
		"the first pod is not all":                   {assign: "n1: db; n2:; n3: cart", desired: "db=4 cart=1", want: "n1=50 n2=0 n3=100"},
		"terminating pods are none":                  {assign: "n1: db; n2: db(terminating); n3: cart", desired: "db=1 cart=1", want: "n1=100 n2=0 n3=50"},
		"nobody that serves":                         {assign: "n1: db(unknown); n2: cart(crashing); n3:", desired: "db=1 cart=1", want: "skip"},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, allOfIt+", reserveRoom: false, routing: Uniform, closeness: {zone: 0, region: 0}")
			c.traffic("web -> db 100B/s; web -> cart 50B/s")
			c.assign(test.assign)
			c.desire(test.desired)
			if test.unreachable != "" {
				c.scores(c.pod("web"), c.nodes())
				c.taint(test.unreachable, v1.TaintNodeUnreachable)
			}
			if got := c.scoreText(c.pod("web")); got != test.want {
				t.Errorf("the scores are %s, want %s", got, test.want)
			}
			if test.unreachable != "" {
				c.taint(test.unreachable)
				if got, want := c.scoreText(c.pod("web")), "n1=100 n2=100 n3=100"; got != want {
					t.Errorf("when the node is back the scores are %s, want %s", got, want)
				}
			}
		})
	}
}

// TestPodsThatDoNotServeAreStillThere: they count as pods of their own workload.
func TestPodsThatDoNotServeAreStillThere(t *testing.T) {
	c := newCluster(t, "significantRate: 0, requestBytes: 0, reserveRoom: false, routing: Uniform, closeness: {zone: 0, region: 0}, maxShare: {node: 0.5}")
	c.traffic("web -> db 100B/s")
	c.assign("n1: db web(crashing); n2: db")
	c.desire("web=2 db=2")
	if got, want := c.scoreText(c.pod("web")), "n1=0 n2=100"; got != want {
		t.Errorf("the scores are %s, want %s", got, want)
	}
}

// taint gives a node taints of the given keys, and no other.
func (c *cluster) taint(name string, keys ...string) {
	c.Helper()
	was := c.nodes(name)[0].Node()
	is := was.DeepCopy()
	is.Spec.Taints = nil
	for _, key := range keys {
		is.Spec.Taints = append(is.Spec.Taints, v1.Taint{Key: key, Effect: v1.TaintEffectNoExecute})
	}
	c.cache.UpdateNode(klog.Background(), was, is)
	c.update()
}

func TestAssumedPodsCount(t *testing.T) {
	c := newCluster(t, allOfIt)
	c.traffic("web -> db 10MiB/s")
	c.assign("n1: cart; n2:")
	if got := c.scoreText(c.pod("web")); got != "skip" {
		t.Fatalf("the scores are %s before a peer runs", got)
	}
	assumed := c.pod("db")
	assumed.Spec.NodeName = "n2"
	if err := c.cache.AssumePod(klog.Background(), assumed); err != nil {
		t.Fatal(err)
	}
	c.update()
	if got, want := c.scoreText(c.pod("web")), "n1=0 n2=100"; got != want {
		t.Errorf("the scores are %s beside an assumed peer, want %s", got, want)
	}
	if err := c.cache.ForgetPod(klog.Background(), assumed); err != nil {
		t.Fatal(err)
	}
	c.update()
	if got := c.scoreText(c.pod("web")); got != "skip" {
		t.Errorf("the scores are %s after the peer was forgotten", got)
	}
}
