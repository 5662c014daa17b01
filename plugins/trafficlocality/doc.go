// Package trafficlocality is the TrafficLocality plugin of kube-scheduler: it
// scores nodes by how much of a pod's traffic would stay close.
//
// It is an adapter. PreScore loads one snapshot of the traffic graph, finds
// where the pod's peers run and lets package affinity do the arithmetic; Score
// looks the result up. It can prefer a node but never refuse one, returns no
// error for reasons of telemetry, and imports nothing of k8s.io/kubernetes.
package trafficlocality
