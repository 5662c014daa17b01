// Package integration tests the binaries against a real control plane: etcd,
// kube-apiserver, controllers, simulated nodes and a simulated mesh in this
// process, schedulers as processes of their own. It holds every test that links
// kube-apiserver, because such a test binary is large and slow to link, and no
// code that anybody else uses.
package integration
