// Package score is the scoring engine: what one more pod of a workload gains on each
// node by the traffic that would stay close, which nodes it is kept away from, and
// the points from 0 to 100 that come out.
//
// A [Board] says what is known of the cluster: who runs where, what controllers want,
// what nodes have room for. An [Engine] answers a [Request] for one pod with a
// [Result], which explains itself node by node when it is asked to. The arithmetic of
// one edge is package affinity's.
//
// The package knows nothing of Kubernetes, has no clock and logs nothing. A Board and
// the Engine over it belong to one goroutine at a time.
package score
