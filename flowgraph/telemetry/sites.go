package telemetry

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/vicinity-sched/vicinity/flowgraph"
)

// SiteRule says which hosts and addresses outside the cluster are a site.
type SiteRule struct {
	Site flowgraph.WorkloadID
	// Hosts are names of hosts. One that begins with "*." stands for all whose names end
	// with the rest.
	Hosts []string
	// CIDRs are ranges of addresses.
	CIDRs []netip.Prefix
}

// Sites finds the site of a host or an address. The most specific rule counts: a host before
// patterns, a longer pattern before a shorter one, and a smaller range of addresses before a
// larger one. The zero value and nil know no site.
type Sites struct {
	hosts    map[string]flowgraph.WorkloadID
	suffixes map[string]flowgraph.WorkloadID // of patterns, without "*."
	ranges   map[netip.Prefix]flowgraph.WorkloadID
	lengths  []int // of the ranges, the longest first
}

// NewSites returns the sites of some rules. It is an error when a name is no site's, or when two
// rules have the same host or range.
func NewSites(rules []SiteRule) (*Sites, error) {
	s := &Sites{
		hosts: map[string]flowgraph.WorkloadID{}, suffixes: map[string]flowgraph.WorkloadID{},
		ranges: map[netip.Prefix]flowgraph.WorkloadID{},
	}
	for _, rule := range rules {
		if _, ok := rule.Site.Site(); !ok {
			return nil, fmt.Errorf("%s is no site: it needs a name, and a zone or a region", rule.Site)
		}
		for _, host := range rule.Hosts {
			name, into := normalHost(host), s.hosts
			if suffix, isPattern := strings.CutPrefix(name, "*."); isPattern {
				name, into = suffix, s.suffixes
			}
			if other, taken := into[name]; taken {
				return nil, fmt.Errorf("the host %s is of both %s and %s", host, other, rule.Site)
			}
			into[name] = rule.Site
		}
		for _, cidr := range rule.CIDRs {
			cidr = cidr.Masked()
			if other, taken := s.ranges[cidr]; taken {
				return nil, fmt.Errorf("the addresses %s are of both %s and %s", cidr, other, rule.Site)
			}
			s.ranges[cidr] = rule.Site
			if !slices.Contains(s.lengths, cidr.Bits()) {
				s.lengths = append(s.lengths, cidr.Bits())
			}
		}
	}
	slices.SortFunc(s.lengths, func(a, b int) int { return b - a })
	return s, nil
}

// IsEmpty reports whether there are no sites.
func (s *Sites) IsEmpty() bool { return s == nil || len(s.hosts)+len(s.suffixes)+len(s.ranges) == 0 }

// normalHost is a host as it is looked up.
func normalHost(host string) string { return strings.TrimSuffix(strings.ToLower(host), ".") }

// OfHost returns the site of a host as telemetry names it: a name or an address, with or
// without a port.
func (s *Sites) OfHost(host string) (site flowgraph.WorkloadID, ok bool) {
	if s.IsEmpty() || host == "" {
		return site, false
	}
	if withPort, err := netip.ParseAddrPort(host); err == nil {
		return s.ofAddress(withPort.Addr())
	}
	if address, err := netip.ParseAddr(host); err == nil {
		return s.ofAddress(address)
	}
	name, _, _ := strings.Cut(host, ":")
	name = normalHost(name)
	if site, ok = s.hosts[name]; ok {
		return site, true
	}
	for rest := name; ; {
		if _, rest, ok = strings.Cut(rest, "."); !ok {
			return flowgraph.WorkloadID{}, false
		}
		if site, ok = s.suffixes[rest]; ok {
			return site, true
		}
	}
}

// ofAddress returns the site of an address.
func (s *Sites) ofAddress(address netip.Addr) (site flowgraph.WorkloadID, ok bool) {
	address = address.Unmap().WithZone("")
	for _, length := range s.lengths {
		cidr, err := address.Prefix(length)
		if err != nil { // longer than an address of IPv4
			continue
		}
		if site, ok = s.ranges[cidr]; ok {
			return site, true
		}
	}
	return site, false
}

// Resolver returns a Resolver that asks another one, which may be nil, and answers for addresses
// that this one knows nothing of. Pods and Services come first.
func (s *Sites) Resolver(other Resolver) Resolver {
	if s.IsEmpty() {
		return other
	}
	return siteResolver{s, other}
}

type siteResolver struct {
	sites *Sites
	other Resolver
}

// Resolve implements Resolver.
func (r siteResolver) Resolve(endpoints []Endpoint) []Resolution {
	answers := make([]Resolution, len(endpoints))
	for i := range answers {
		answers[i].Reason = NoObjects
	}
	if r.other != nil {
		answers = r.other.Resolve(endpoints)
	}
	for i, e := range endpoints {
		if e.Kind != AddressEndpoint || answers[i].Reason != NoObjects && answers[i].Reason != UnknownAddress {
			continue
		}
		if site, ok := r.sites.OfHost(e.Name); ok {
			answers[i] = Resolution{Shares: []Share{{Workload: site, Part: 1}}}
		}
	}
	return answers
}
