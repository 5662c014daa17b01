// Package realmeshes runs real Envoys with the configuration that Consul, Kuma and Open
// Service Mesh give their sidecars, sends traffic of known size through them, and compares
// with it what Envoy counts and what the telemetry sources say. Two network namespaces stand
// for nodes; everything in them ends with the tests. `make real-meshes` installs Envoy and
// runs the tests, which skip without it; they build nothing that others have written.
package realmeshes
