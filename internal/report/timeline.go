package report

import "time"

// Moment is what an assignment makes of the traffic at one time of a recording.
type Moment struct {
	At             time.Time `json:"at"`
	BytesPerSecond float64   `json:"bytesPerSecond"`
	CrossNode      float64   `json:"crossNodeBytesPerSecond"`
	CrossZone      float64   `json:"crossZoneBytesPerSecond"`
	Pods           int       `json:"pods"`
	Nodes          int       `json:"nodes"`
}
