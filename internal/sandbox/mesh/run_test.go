package mesh

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
)

// Run follows a real client's watches. In the bubble time stands still while
// anything is being done, and a goroutine that Run leaves behind is an error.
func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		template := &cluster{t: t, pods: map[string]int{}}
		web, db := template.newPods("n1", "web")[0], template.newPods("n2", "db")[0]
		client := fake.NewSimpleClientset(node("n1", ""), node("n2", ""), service("db", ""), web, db)
		m := New(client, Istio(), parse(t, "web -> db"), time.Now)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- m.Run(ctx) }()

		time.Sleep(time.Minute)
		synctest.Wait()
		got := reported(t, scrape(t, m))["source web -> db http"]
		// Traffic begins when the watches have synced.
		if got.requests < 590 || got.requests > 600 || got.sent != 100*got.requests {
			t.Errorf("in a minute %v, want 600 requests of 100 B", got)
		}
		if err := client.CoreV1().Pods("shop").Delete(ctx, db.Name, metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if later := reported(t, scrape(t, m)); later["source web -> db http"].requests > got.requests+2.5 || len(later) != 1 {
			t.Errorf("after the server pod is gone %v, then %v", got, later)
		}
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

func TestRunCancelledAtOnce(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := New(fake.NewSimpleClientset(), Istio(), nil, time.Now).Run(ctx)
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "watching the cluster") {
		t.Errorf("error = %v, want one that says what was cancelled", err)
	}
}
