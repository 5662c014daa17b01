// Package integration tests the binaries against a real control plane: etcd,
// kube-apiserver, controllers, simulated nodes and a simulated mesh in this
// process, schedulers as processes of their own. It holds every test that links
// kube-apiserver, because such a test binary is large and slow to link, and no
// code that anybody else uses.
//
// Each test can run alone and in any order. One that begins with newScene has the
// nodes of the shared cluster to itself, a mesh and a Prometheus of its own, and
// namespaces of its own; it removes all other objects that it creates. One that
// begins with newRunner uses no shared cluster, and runs beside others.
package integration
