package trafficlocality

import (
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework"
)

// BenchmarkShadow is what all score plugins take for one pod, in the default profile and in
// one in shadow mode, with what Reserve adds there. They run in turns, as in
// BenchmarkProfile.
func BenchmarkShadow(b *testing.B) {
	benchEach(b, func(b *testing.B, c *cluster, candidates []fwk.NodeInfo) {
		without, shadow := c.profile(), c.shadowProfile("")
		pods := make([]*v1.Pod, 16)
		for i := range pods {
			pods[i] = c.benchPod(2*i + 1) // of kind=plain, as BenchmarkProfile calls them
		}
		var took [2][]time.Duration
		before := c.outcomes()[shadowOther]
		for i := 0; b.Loop(); i++ {
			pod := pods[i%len(pods)]
			took[0] = append(took[0], benchDecision(b, without, nil, pod, candidates))
			took[1] = append(took[1], benchDecision(b, shadow, shadow.plugin, pod, candidates))
		}
		reference, ours := median(took[0]), median(took[1])
		b.ReportMetric(0, "ns/op") // of both
		b.ReportMetric(reference, "µs/default")
		b.ReportMetric(ours, "µs/shadow")
		b.ReportMetric(100*float64(c.outcomes()[shadowOther]-before)/float64(len(took[1])), "%other")
	})
}

// benchDecision scores the candidates for a pod and hands the best to Shadow, if there is one.
func benchDecision(b *testing.B, fw framework.Framework, shadow *Shadow, pod *v1.Pod, candidates []fwk.NodeInfo) time.Duration {
	var state fwk.CycleState = framework.NewCycleState()
	if _, status, _ := fw.RunPreFilterPlugins(b.Context(), state, pod); !status.IsSuccess() {
		b.Fatal(status)
	}
	start := time.Now()
	if status := fw.RunPreScorePlugins(b.Context(), state, pod, candidates); !status.IsSuccess() {
		b.Fatal(status)
	}
	scores, status := fw.RunScorePlugins(b.Context(), state, pod, candidates)
	if !status.IsSuccess() {
		b.Fatal(status)
	}
	best := &scores[0]
	for i := range scores {
		if scores[i].TotalScore > best.TotalScore {
			best = &scores[i]
		}
	}
	if shadow != nil {
		shadow.Reserve(b.Context(), state, pod, best.Name)
	}
	return time.Since(start)
}
