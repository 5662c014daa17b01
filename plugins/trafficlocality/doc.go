// Package trafficlocality is the TrafficLocality plugin of kube-scheduler: it
// scores nodes by how much of a pod's traffic would stay close.
//
// It is an adapter. It keeps the Board of a scoring engine (package flowgraph/score)
// in step with the scheduler's nodes and with what controllers want; PreScore has the
// engine score all nodes, and Score looks the result up. It can prefer a node but never
// refuse one, returns no error for reasons of telemetry, and imports nothing of
// k8s.io/kubernetes.
package trafficlocality
