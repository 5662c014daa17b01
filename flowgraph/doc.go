// Package flowgraph holds the traffic between workloads as a graph: flows as
// telemetry observes them, edges as they are after smoothing, and an immutable
// [Snapshot] that a scheduling cycle can read without a lock.
//
// It is pure: standard library only, no I/O, no clock, no logger. Time is an
// argument, and what went wrong is a return value. It knows nothing of
// Kubernetes; where a workload's pods run is the caller's knowledge.
package flowgraph
