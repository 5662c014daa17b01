package kube

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/vicinity-sched/vicinity/internal/kube/routing"
)

// WriteObjects writes a cluster as a List in JSON that ReadObjects reads: its
// nodes, what plugins look up, and a pod for each that is wanted, with its node
// where the cluster has one.
func WriteObjects(w io.Writer, r *Replayable) error {
	out := &listWriter{out: bufio.NewWriter(w)}
	out.text(`{"apiVersion":"v1","kind":"List","items":[`)
	for _, node := range r.Nodes {
		out.item(node.DeepCopy())
	}
	for _, object := range r.Objects {
		out.item(object.DeepCopyObject())
	}
	for i, template := range r.Templates {
		var at []int32
		if r.Cluster.Assigned != nil {
			at = r.Cluster.Assigned[i]
		}
		for n := range max(int(r.Cluster.Workloads[i].Replicas), len(at)) {
			pod := template.DeepCopy()
			// Padded, because pods are read in the order of their names.
			pod.Name = fmt.Sprintf("%s-%06d", template.Name, n)
			if n < len(at) {
				pod.Spec.NodeName = r.Nodes[at[n]].Name
			}
			out.item(pod)
		}
	}
	out.text("\n]}\n")
	if out.err == nil {
		out.err = out.out.Flush()
	}
	if out.err != nil {
		return fmt.Errorf("writing the cluster: %w", out.err)
	}
	return nil
}

// listWriter writes the items of a List. It remembers the first error.
type listWriter struct {
	out   *bufio.Writer
	items int
	err   error
}

func (l *listWriter) text(s string) {
	if l.err == nil {
		_, l.err = l.out.WriteString(s)
	}
}

// item writes an object, which it changes: objects in memory do not say of what
// kind they are.
func (l *listWriter) item(object runtime.Object) {
	if l.err != nil {
		return
	}
	if _, ofIstio := object.(*routing.DestinationRule); !ofIstio { // those say it
		kinds, _, err := scheme.Scheme.ObjectKinds(object)
		if err != nil {
			l.err = err
			return
		}
		object.GetObjectKind().SetGroupVersionKind(kinds[0])
	}
	data, err := json.Marshal(object)
	if err != nil {
		l.err = err
		return
	}
	if l.items > 0 {
		l.text(",")
	}
	l.items++
	l.text("\n")
	l.text(string(data))
}
