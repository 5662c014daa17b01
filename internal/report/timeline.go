package report

import "time"

// Moment is the mean traffic of a run over some steps of a recording, the warm-up included.
// There are a few hundred moments at most.
type Moment struct {
	// At is when these steps end.
	At time.Time `json:"at"`
	// BytesPerSecond is all traffic.
	BytesPerSecond float64 `json:"bytesPerSecond"`
	// CrossNode is the traffic that leaves its node, with calls divided as configured.
	CrossNode float64 `json:"crossNodeBytesPerSecond"`
	// CrossZone is the traffic that leaves its zone. It is 0 when no node has a zone.
	CrossZone float64 `json:"crossZoneBytesPerSecond"`
	// Pods is the number of pods with a node at that time.
	Pods int `json:"pods"`
	// Nodes is the number of nodes at that time.
	Nodes int `json:"nodes"`
}
