package validation

import (
	"fmt"
	"net/netip"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/vicinity-sched/vicinity/flowgraph"
	v1 "github.com/vicinity-sched/vicinity/plugins/config/v1"
)

// How many sites there may be, and how many hosts and ranges of addresses all of them have.
const (
	maxSites     = 1_000
	maxSiteRules = 10_000
)

func validateSites(path *field.Path, sites []v1.Site) field.ErrorList {
	var errs field.ErrorList
	if len(sites) > maxSites {
		return field.ErrorList{field.TooMany(path, len(sites), maxSites)}
	}
	names, taken, rules := map[string]bool{}, map[string]*field.Path{}, 0
	claim := func(at *field.Path, value, key string) {
		if other, isTaken := taken[key]; isTaken {
			errs = append(errs, field.Invalid(at, value, fmt.Sprintf("is %s already; the most specific host or range counts, and these are the same", other)))
			return
		}
		taken[key] = at
	}
	for i := range sites {
		s, at := &sites[i], path.Index(i)
		errs = append(errs, validateSite(at, s)...)
		if names[s.Name] && s.Name != "" {
			errs = append(errs, field.Duplicate(at.Child("name"), s.Name))
		}
		names[s.Name] = true
		for k, host := range s.Hosts {
			claim(at.Child("hosts").Index(k), host, strings.ToLower(strings.TrimSuffix(host, ".")))
		}
		for k, cidr := range s.CIDRs {
			if prefix, err := netip.ParsePrefix(cidr); err == nil {
				claim(at.Child("cidrs").Index(k), cidr, prefix.Masked().String())
			}
		}
		rules += len(s.Hosts) + len(s.CIDRs)
	}
	if rules > maxSiteRules {
		errs = append(errs, field.Invalid(path, rules, fmt.Sprintf("are the hosts and cidrs of all sites, at most %d; use patterns, or wider ranges", maxSiteRules)))
	}
	return errs
}

func validateSite(path *field.Path, s *v1.Site) field.ErrorList {
	var errs field.ErrorList
	switch {
	case s.Name == "":
		errs = append(errs, field.Required(path.Child("name"), "what graphs and reports call the site"))
	case !flowgraph.ValidName(s.Name):
		errs = append(errs, field.Invalid(path.Child("name"), s.Name, "must be a DNS name: lower-case letters, digits, dashes and dots"))
	}
	if s.Zone == "" && s.Region == "" {
		errs = append(errs, field.Required(path.Child("zone"), "say where the site is, by the zone or the region that node labels have"))
	}
	for _, domain := range [...]struct{ name, value string }{{"zone", s.Zone}, {"region", s.Region}} {
		if domain.value != "" && !flowgraph.ValidDomain(domain.value) {
			errs = append(errs, field.Invalid(path.Child(domain.name), domain.value, "must be the value of a node label: at most 63 letters, digits, dashes, dots and underscores"))
		}
	}
	if len(s.Hosts)+len(s.CIDRs) == 0 {
		errs = append(errs, field.Required(path.Child("hosts"), "say which traffic is with the site, by hosts or cidrs"))
	}
	for i, host := range s.Hosts {
		if problem := hostProblem(host); problem != "" {
			errs = append(errs, field.Invalid(path.Child("hosts").Index(i), host, problem))
		}
	}
	for i, cidr := range s.CIDRs {
		if problem := cidrProblem(cidr); problem != "" {
			errs = append(errs, field.Invalid(path.Child("cidrs").Index(i), cidr, problem))
		}
	}
	return errs
}

// hostProblem says why something is no host, "" when it is one.
func hostProblem(host string) string {
	if _, err := netip.ParseAddr(host); err == nil {
		return "is an address; put it into cidrs"
	}
	name := strings.ToLower(strings.TrimSuffix(strings.TrimPrefix(host, "*."), "."))
	switch {
	case strings.Contains(name, ":"):
		return "must be a host without a port"
	case !flowgraph.ValidName(name):
		return `must be the name of a host, such as db.example.com, or "*." and the end of names, such as *.rds.amazonaws.com`
	}
	return ""
}

// cidrProblem says why something is no range of addresses, "" when it is one.
func cidrProblem(cidr string) string {
	if address, err := netip.ParseAddr(cidr); err == nil {
		return fmt.Sprintf("must be a range; one address is %s/%d", address, address.BitLen())
	}
	prefix, err := netip.ParsePrefix(cidr)
	switch {
	case err != nil:
		return "must be a range of addresses, such as 10.1.0.0/16 or fd00:1::/32"
	case prefix != prefix.Masked():
		return fmt.Sprintf("must begin at its first address: %s", prefix.Masked())
	}
	return ""
}
