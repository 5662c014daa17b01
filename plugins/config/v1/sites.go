package v1

import (
	"fmt"
	"net/netip"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
)

// Site is endpoints outside the cluster in one zone or region, such as a managed database.
// The most specific host or range of addresses counts where several apply.
type Site struct {
	// Name is unique among the sites, and a DNS name (RFC 1123). It shows in graphs and
	// reports.
	Name string `json:"name"`
	// Region and Zone are where the site is, as the labels topology.kubernetes.io/region and
	// topology.kubernetes.io/zone of nodes have it; at least one of them.
	Region string `json:"region,omitempty"`
	Zone   string `json:"zone,omitempty"`
	// Hosts are names of hosts; "*.example.com" is all those that end with .example.com.
	Hosts []string `json:"hosts,omitempty"`
	// CIDRs are ranges of addresses, of IPv4 or IPv6.
	CIDRs []string `json:"cidrs,omitempty"`
}

// ID returns the site as the graph has it.
func (s *Site) ID() flowgraph.WorkloadID { return flowgraph.SiteID(s.Name, s.Region, s.Zone) }

// Rule returns what of the traffic is with the site.
func (s *Site) Rule() (telemetry.SiteRule, error) {
	rule := telemetry.SiteRule{Site: s.ID(), Hosts: s.Hosts}
	for _, cidr := range s.CIDRs {
		prefix, err := netip.ParsePrefix(cidr)
		if err != nil {
			return telemetry.SiteRule{}, fmt.Errorf("site %s: %w", s.Name, err)
		}
		rule.CIDRs = append(rule.CIDRs, prefix)
	}
	return rule, nil
}
