package trafficlocality

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/component-base/metrics/testutil"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework"
	st "k8s.io/kubernetes/pkg/scheduler/testing"
)

// shadowProfile is the default profile with the plugin in shadow mode.
type shadowProfile struct {
	framework.Framework
	plugin *Shadow
}

func (c *cluster) shadowProfile(args string) *shadowProfile {
	c.Helper()
	p := &shadowProfile{}
	p.Framework = c.profileOf(func(ctx context.Context, raw runtime.Object, h fwk.Handle) (fwk.Plugin, error) {
		made, err := Factory(c.dependencies())(ctx, raw, h)
		p.plugin, _ = made.(*Shadow)
		return made, err
	}, strings.TrimPrefix(args+", shadow: true", ", "))
	if p.plugin == nil {
		c.Fatal("the factory makes no Shadow")
	}
	return p
}

// decide runs the score plugins for a pod, has a node chosen, and returns the totals; choose
// is nil for the best one.
func (c *cluster) decide(p *shadowProfile, pod *v1.Pod, choose func(map[string]int64) string) map[string]int64 {
	c.Helper()
	state, nodes := c.filter(p, pod)
	if status := p.RunPreScorePlugins(c.Context(), state, pod, nodes); !status.IsSuccess() {
		c.Fatalf("PreScore: %v", status)
	}
	scores, status := p.RunScorePlugins(c.Context(), state, pod, nodes)
	if !status.IsSuccess() {
		c.Fatalf("Score: %v", status)
	}
	totals := map[string]int64{}
	for _, s := range scores {
		totals[s.Name] = s.TotalScore
		for _, own := range s.Scores {
			if own.Name == Name {
				c.Errorf("the plugin has a say: %v", own)
			}
		}
	}
	if choose == nil {
		choose = bestNode
	}
	if status := p.RunReservePluginsReserve(c.Context(), state, pod, choose(totals)); !status.IsSuccess() {
		c.Fatalf("Reserve: %v", status)
	}
	return totals
}

func (c *cluster) outcomes() map[shadowOutcome]int {
	c.Helper()
	all := map[shadowOutcome]int{}
	for _, outcome := range []shadowOutcome{shadowSame, shadowOther, shadowNoSay, shadowNotLookedAt, shadowUnclear} {
		if n := count(c, c.metrics.inShadow().decisions.With(string(outcome))); n > 0 {
			all[outcome] = n
		}
	}
	return all
}

// TestShadow places five hundred random pods. The totals of every feasible node are those of
// the default profile; and the outcome of each decision is what the totals of a profile say
// in which the plugin has its say.
func TestShadow(t *testing.T) {
	const podCount, nodeCount, workloadCount = 500, 24, 40
	c := newCluster(t, "")
	random := rand.New(rand.NewPCG(3, 4))
	for i := range nodeCount {
		c.cache.AddNode(klog.Background(), randomNode(random, i))
	}
	c.update()
	c.store.Publish(randomGraph(random, workloadCount*3/4)) // the others have no traffic
	reference, heard, shadow := c.profile(), c.profileWith(c.dependencies(), "reserveRoom: false"), c.shadowProfile("reserveRoom: false")
	silent := c.newPlugin("reserveRoom: false")
	want := map[shadowOutcome]int{}
	for i := range podCount {
		pod := c.randomPod(random, i, workloadCount)
		totals, with := c.totals(reference, pod), c.totals(heard, pod)
		if diff := cmp.Diff(totals, c.decide(shadow, pod, nil)); diff != "" {
			t.Fatalf("the totals of pod %d differ (-default profile, +shadow):\n%s", i, diff)
		}
		chosen := bestNode(totals)
		switch _, nodes := c.filter(heard, pod); {
		case silent.PreScore(t.Context(), framework.NewCycleState(), pod, nodes).IsSkip():
			want[shadowNoSay]++
		case with[chosen] == with[bestNode(with)]:
			want[shadowSame]++
		default:
			want[shadowOther]++
		}
		c.place(pod, chosen)
		c.update()
	}
	if diff := cmp.Diff(want, c.outcomes()); diff != "" || want[shadowSame] < 20 || want[shadowOther] < 20 || want[shadowNoSay] < 20 {
		t.Errorf("outcomes (-want +got):\n%s\nwant %v", diff, want)
	}
}

// TestShadowSaysWhatStays: each of four pods of web exchanges 250 B/s with db, whose two pods
// are in zone a, one on each node there.
func TestShadowSaysWhatStays(t *testing.T) {
	c := newCluster(t, "")
	c.traffic("web -> db 1000B/s")
	c.desire("web=4 db=2")
	c.assign("n1@r/a: db; n2@r/a: db; n3@r/b:")
	shadow := c.shadowProfile(allOfIt + ", reserveRoom: false, routing: Uniform")
	c.decide(shadow, c.pod("web"), func(map[string]int64) string { return "n3" }) // all are alike
	m := c.metrics.inShadow()
	for series, want := range map[string]float64{
		"chosen node": 0, "chosen zone": 0, "chosen cluster": 250, "preferred node": 125, "preferred zone": 250, "preferred cluster": 250,
	} {
		node, within, _ := strings.Cut(series, " ")
		if got, err := testutil.GetCounterMetricValue(m.bytes.With("shop/web", node, within)); err != nil || got != want {
			t.Errorf("%s: %v B/s, want %v (%v)", series, got, want, err)
		}
	}
	if got := count(t, m.byWorkload.With("shop/web", "other")); got != 1 {
		t.Errorf("%d decisions would be others, want 1", got)
	}
}

// TestShadowOutcomes has decisions that cannot be compared.
func TestShadowOutcomes(t *testing.T) {
	c := newCluster(t, "")
	c.traffic("web -> db 1MiB/s")
	c.assign("n1: db; n2:; n3:")
	filler := &st.PodWrapper{Pod: *c.pod("filler")}
	c.place(filler.Req(map[v1.ResourceName]string{"cpu": "32"}).Obj(), "n3")
	c.update()
	shadow := c.shadowProfile(allOfIt + ", reserveRoom: false")
	var extenders []fwk.Extender
	reserve := func(pod *v1.Pod, prepare bool, node string) {
		t.Helper()
		state, nodes := c.filter(shadow, pod)
		if prepare {
			shadow.RunPreScorePlugins(t.Context(), state, pod, nodes)
		}
		s := *shadow.plugin
		s.scorer = withExtenders{shadow, extenders}
		if status := s.Reserve(t.Context(), state, pod, node); !status.IsSuccess() {
			t.Errorf("Reserve fails: %v", status)
		}
	}
	c.decide(shadow, c.pod("web"), func(map[string]int64) string { return "n3" }) // which is worse than others
	reserve(c.pod("web"), false, "n2")
	reserve(c.pod("logs"), true, "n2")
	want := map[shadowOutcome]int{shadowUnclear: 1, shadowNotLookedAt: 1, shadowNoSay: 1}
	if diff := cmp.Diff(want, c.outcomes()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	extenders = []fwk.Extender{extender{}}
	reserve(c.pod("web"), true, "n2")
	extenders = []fwk.Extender{nil} // panics
	reserve(c.pod("web"), true, "n2")
	want[shadowUnclear] += 2
	if diff := cmp.Diff(want, c.outcomes()); diff != "" || count(t, c.metrics.panicsTotal) != 1 {
		t.Errorf("%d panics (-want +got):\n%s", count(t, c.metrics.panicsTotal), diff)
	}
}

// withExtenders has extenders beside a framework.
type withExtenders struct {
	framework.Framework
	all []fwk.Extender
}

func (w withExtenders) Extenders() []fwk.Extender { return w.all }

// extender gives scores to all pods.
type extender struct{ fwk.Extender }

func (extender) IsPrioritizer() bool       { return true }
func (extender) IsInterested(*v1.Pod) bool { return true }

// TestShadowLeavesNoTrace: after Reserve the cycle's state is as it was, no event wakes pods,
// and pods are signed as without the plugin.
func TestShadowLeavesNoTrace(t *testing.T) {
	c := newCluster(t, "")
	c.traffic("web -> db 1MiB/s")
	c.assign("n1: db; n2:")
	shadow := c.shadowProfile(allOfIt)
	pod := c.pod("web")
	state, nodes := c.filter(shadow, pod)
	shadow.RunPreScorePlugins(t.Context(), state, pod, nodes)
	before := state.GetSkipScorePlugins()
	shadow.RunReservePluginsReserve(t.Context(), state, pod, "n2")
	if _, err := state.Read(stateKey); err == nil || !before.Equal(state.GetSkipScorePlugins()) || !before.Has(Name) {
		t.Errorf("the state has scores (%v), skipped are %v", err == nil, state.GetSkipScorePlugins())
	}
	if events, err := shadow.plugin.EventsToRegister(t.Context()); len(events) > 0 || err != nil {
		t.Errorf("events %v, %v", events, err)
	}
	if fragments, status := shadow.plugin.SignPod(t.Context(), pod); len(fragments) > 0 || !status.IsSuccess() {
		t.Errorf("SignPod answers %v, %v", fragments, status)
	}
}

// TestShadowMetricsAreBounded: and there is none without shadow mode.
func TestShadowMetricsAreBounded(t *testing.T) {
	c := newCluster(t, "")
	served := func() (series int) {
		families, err := c.registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			if strings.HasPrefix(f.GetName(), "vicinity_shadow_workload") {
				series += len(f.GetMetric())
			} else if strings.HasPrefix(f.GetName(), "vicinity_shadow_") {
				series += 1000
			}
		}
		return series
	}
	if n := served(); n > 0 {
		t.Errorf("%d series without shadow mode", n)
	}
	c.shadowProfile("")
	c.shadowProfile("") // another profile has the same metrics
	m := c.metrics.inShadow()
	for i := range MostShadowWorkloads + 20 {
		m.decided(shadowOther, workload(fmt.Sprintf("w%d", i)))
	}
	if got, want := served(), 1000+MostShadowWorkloads+1; got != want {
		t.Errorf("%d series, want %d", got, want)
	}
	if got := count(t, m.byWorkload.With(OtherWorkloads, "other")); got != 20 {
		t.Errorf("%d decisions about others, want 20", got)
	}
}
