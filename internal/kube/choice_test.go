package kube

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"

	"github.com/vicinity-sched/vicinity/flowgraph"
)

// choices is what was said last of each workload, and how often anything was.
type choices struct {
	last map[flowgraph.WorkloadID]Choice
	told int
}

func (c *choices) DesiredChanged(id flowgraph.WorkloadID, state DesiredState) {
	c.last[id] = state.Choice
	c.told++
}

func namespaceSaying(name, value string) *corev1.Namespace {
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	if value != "" {
		ns.Annotations = map[string]string{LocalityAnnotation: value}
	}
	return ns
}

// TestDesiredChoices: observers are told when a controller or a namespace says something else,
// although neither changes what is wanted, and not told of anything twice.
func TestDesiredChoices(t *testing.T) {
	web := flowgraph.WorkloadID{Namespace: "shop", Name: "web"}
	saying := func(value string) any {
		rs := templated(replicaSet("web-6f7d9", new(int32(2)), "2"), "new", 1)
		rs.UID, rs.Generation = "1", 1
		if value != "" {
			rs.Annotations[LocalityAnnotation] = value
		}
		return rs
	}
	steps := []struct {
		what   string
		object any
		gone   bool
		want   Choice
		told   int
	}{
		{"nobody says anything", saying(""), false, Unsaid, 1},
		{"the namespace does", namespaceSaying("shop", "off"), false, Off, 1},
		{"it says so again", namespaceSaying("shop", "off"), false, Off, 0},
		{"another namespace does", namespaceSaying("other", "on"), false, Off, 0},
		{"the controller takes precedence", saying("on"), false, On, 1},
		{"it says so again", saying("on"), false, On, 0},
		{"it says something that means nothing", saying("yes"), false, Off, 1},
		{"the namespace says nothing any more", namespaceSaying("shop", ""), false, Unsaid, 1},
		{"it says something again", namespaceSaying("shop", "on"), false, On, 1},
		{"it is gone", cache.DeletedFinalStateUnknown{Obj: namespaceSaying("shop", "on")}, true, Unsaid, 1},
	}
	var d DesiredStates
	seen := &choices{last: map[flowgraph.WorkloadID]Choice{}}
	d.Observe(seen)
	for _, s := range steps {
		before := seen.told
		if s.gone {
			d.Delete(s.object)
		} else {
			d.Put(s.object)
		}
		if seen.last[web] != s.want || d.Of(web).Choice != s.want || seen.told-before != s.told {
			t.Errorf("%s: told %q, %d times, and asked %q; want %q, %d times", s.what, seen.last[web], seen.told-before, d.Of(web).Choice, s.want, s.told)
		}
	}
	early := DesiredStates{} // namespaces are known before their workloads
	early.Put(namespaceSaying("shop", "off"))
	early.Put(saying(""))
	if got := early.Of(web).Choice; got != Off {
		t.Errorf("in a namespace that was known before, the choice is %q", got)
	}
}
