// Package schedperf measures what the TrafficLocality plugin costs the real
// scheduler: kube-scheduler beside a kube-apiserver and etcd, started by
// Kubernetes' own scheduler_perf. Each case runs in a cluster of its own, in
// which blocks of pods alternate between a profile with the plugin and one
// without. "make bench-scheduler" runs it; no other target does.
//
// Package measure has the arithmetic and the cases, package observe the plugins
// that only watch; neither links the API server. The directory is a module of
// its own, because scheduler_perf needs libraries that nothing else here does.
// It relies on the plugin's factory and arguments and on flowgraph, not on how
// the plugin works.
package schedperf
