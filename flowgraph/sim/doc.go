// Package sim replays the arrival of a cluster's pods: events in order go to a
// [Placer], at once ([Run]) or step by step along a recording ([Timeline]). It has its
// own clock and its own randomness, both arguments, so that the same input gives the
// same result. It knows nothing of Kubernetes, and measures nothing itself: what decides
// is the caller's Placer, what an assignment does is package cut's to say, and where a
// cluster comes from (a file, a recording, a generator) is the business of others.
package sim
