package cluster

import "maps"

// Shares says where the calls from a zone go, in percent, by the zone of the
// endpoints. Zones are named as locality.Domain names them. Calls from a zone that
// has no entry are divided evenly over all endpoints. Shares are never written to
// once they are part of a Workload.
type Shares map[string]map[string]uint32

// Equal reports whether both divide all calls alike.
func (s Shares) Equal(other Shares) bool {
	return maps.EqualFunc(s, other, maps.Equal[map[string]uint32])
}
