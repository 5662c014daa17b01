package trafficlocality

import (
	"fmt"
	"testing"

	v1 "k8s.io/api/core/v1"
	"k8s.io/klog/v2"
)

// TestNodesThatWaitForTheirTurnAdmit: more nodes come at once than a cycle looks at. Whether
// they admit the pods of a peer is asked of all.
func TestNodesThatWaitForTheirTurnAdmit(t *testing.T) {
	c := newCluster(t, "requestBytes: 0")
	c.traffic("web -> db 100MiB/s")
	c.assign("n0:")
	web := c.sized("web", "1")
	web.Spec.NodeSelector = map[string]string{"disk": "ssd"}
	c.want("web", 2, web)
	c.want("db", 1, c.sized("db", "1"))
	c.scores(c.sized("db", "1"), c.nodes())
	c.plugin.keeper.catchUp.bounded = true
	const came = mostTakes
	for i := range came {
		n := node(fmt.Sprint("new-", i), "r", "a")
		n.Labels["disk"] = []string{"hdd", "ssd"}[i%2]
		c.cache.AddNode(klog.Background(), n)
	}
	c.update()
	for cycle := range 2 {
		scores := c.scores(c.sized("db", "1"), c.nodes())
		if !c.plugin.keeper.catchUp.behind && cycle == 0 {
			t.Fatal("the cycle looked at all nodes: the test shows nothing")
		}
		for i := range came {
			name, want := fmt.Sprint("new-", i), int64(100*(i%2))
			if got, ok := scores[name]; !ok || got != want {
				t.Fatalf("cycle %d: %s scores %d (%v), want %d", cycle, name, got, ok, want)
			}
		}
	}
}

// TestUnreachableNodesThatWaitForTheirTurn: the pods of a node that came while it could not be
// reached serve nobody, however long it waits for its turn.
func TestUnreachableNodesThatWaitForTheirTurn(t *testing.T) {
	c := newCluster(t, "requestBytes: 0")
	c.traffic("web -> db 100MiB/s")
	c.assign("n1: db; n2:")
	n3 := node("n3", "", "")
	n3.Spec.Taints = []v1.Taint{{Key: v1.TaintNodeUnreachable, Effect: v1.TaintEffectNoExecute}}
	c.cache.AddNode(klog.Background(), n3)
	c.place(c.pod("db"), "n3")
	c.update()
	if got, want := c.scoreText(c.pod("web")), "n1=100 n2=0 n3=0"; got != want {
		t.Errorf("the scores are %s, want %s", got, want)
	}
}
