package flowgraph

import (
	"strings"

	"github.com/vicinity-sched/vicinity/flowgraph/locality"
)

// siteMark begins the namespace of a site. No name in Kubernetes has it, so that a site is
// never taken for a workload.
const siteMark = "@"

// siteDelimiter stands between a site's region and its zone. No value of a node label has it.
const siteDelimiter = ":"

// SiteID names a site: endpoints outside the cluster whose region or zone is known, such as
// a managed database. In the graph a site is a peer like a workload; it has no pods and
// never moves. Its identity says where it is, so that every snapshot, edge list and recording
// does: the namespace is "@region", "@region:zone" or "@:zone".
func SiteID(name, region, zone string) WorkloadID {
	namespace := siteMark + region
	if zone != "" {
		namespace += siteDelimiter + zone
	}
	return WorkloadID{Namespace: namespace, Name: name}
}

// IsSite reports whether w names a site instead of a workload.
func (w WorkloadID) IsSite() bool { return strings.HasPrefix(w.Namespace, siteMark) }

// Site returns where the site is that w names: its region and zone, of which one may be
// unknown. ok is false where w names no site, or one that SiteID would not.
func (w WorkloadID) Site() (at locality.Locality, ok bool) {
	place, ok := strings.CutPrefix(w.Namespace, siteMark)
	if !ok {
		return at, false
	}
	var zoned bool
	at.Region, at.Zone, zoned = strings.Cut(place, siteDelimiter)
	valid := (at.Region == "" || ValidDomain(at.Region)) && (zoned && ValidDomain(at.Zone) || !zoned && at.Region != "")
	if !valid || !ValidName(w.Name) {
		return locality.Locality{}, false
	}
	return at, true
}

// IsPeer reports whether w can be an end of traffic in a graph: a workload or a site.
func (w WorkloadID) IsPeer() bool {
	if w.IsSite() {
		_, ok := w.Site()
		return ok
	}
	return w.IsValid()
}

// maxDomainBytes is the length of the longest value of a node label.
const maxDomainBytes = 63

// ValidDomain reports whether name can be that of a zone or a region: a value of a node
// label, that is at most 63 letters, digits, dashes, dots and underscores, the first and the
// last of them a letter or a digit.
func ValidDomain(name string) bool {
	for i := range len(name) {
		switch c := name[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case (c == '-' || c == '.' || c == '_') && i > 0 && i < len(name)-1:
		default:
			return false
		}
	}
	return name != "" && len(name) <= maxDomainBytes
}
