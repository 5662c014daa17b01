package kube

import "errors"

// Cluster translates the objects for a replay. The warnings say what a replay
// cannot take over; an error says which object makes one impossible. The
// traffic is not among the objects: Cluster.Edges is the caller's to fill.
func (o *Objects) Cluster() (*Replayable, []Warning, error) {
	return nil, nil, errors.New("not translated yet")
}
