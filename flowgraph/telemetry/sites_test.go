package telemetry

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vicinity-sched/vicinity/flowgraph"
)

// inZone is a site called name.
func inZone(name string) flowgraph.WorkloadID { return flowgraph.SiteID(name, "eu", "eu-a") }

func ranges(cidrs ...string) (all []netip.Prefix) {
	for _, c := range cidrs {
		all = append(all, netip.MustParsePrefix(c))
	}
	return all
}

func TestSitesOfHosts(t *testing.T) {
	sites, err := NewSites([]SiteRule{
		{Site: inZone("orders"), Hosts: []string{"orders.db.example.com", "Old.example.com."}, CIDRs: ranges("10.1.2.0/24", "fd00:1::/32")},
		{Site: inZone("any-db"), Hosts: []string{"*.db.example.com"}, CIDRs: ranges("10.1.0.0/16", "10.1.2.3/32")},
		{Site: inZone("any"), Hosts: []string{"*.com"}, CIDRs: ranges("fd00::/16")},
	})
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string]string{
		"orders.db.example.com":      "orders",
		"ORDERS.db.example.com.":     "orders",
		"orders.db.example.com:5432": "orders",
		"old.example.com":            "orders",
		"cart.db.example.com":        "any-db",
		"a.b.db.example.com":         "any-db",
		"*.db.example.com":           "any-db",
		"db.example.com":             "any",
		"xdb.example.com":            "any",
		"com":                        "",
		"example.org":                "",
		"":                           "",
		"10.1.2.9":                   "orders",
		"10.1.2.9:5432":              "orders",
		"10.1.2.3":                   "any-db",
		"10.1.9.9":                   "any-db",
		"::ffff:10.1.2.9":            "orders",
		"10.2.0.1":                   "",
		"fd00:1::7":                  "orders",
		"[fd00:1::7]:443":            "orders",
		"fd00:2::7%eth0":             "any",
		"fe80::1":                    "",
	}
	for host, want := range cases {
		t.Run(host, func(t *testing.T) {
			site, ok := sites.OfHost(host)
			if ok != (want != "") || ok && site != inZone(want) {
				t.Errorf("the site is %s, %v, want %q", site, ok, want)
			}
		})
	}
	var none *Sites
	if _, ok := none.OfHost("orders.db.example.com"); ok || !none.IsEmpty() {
		t.Error("nil knows a site")
	}
}

func TestSitesThatContradict(t *testing.T) {
	cases := map[string]struct {
		rules []SiteRule
		want  string
	}{
		"no site":     {[]SiteRule{{Site: flowgraph.WorkloadID{Namespace: "shop", Name: "db"}}}, "shop/db is no site"},
		"one host":    {[]SiteRule{{Site: inZone("a"), Hosts: []string{"x.com"}}, {Site: inZone("b"), Hosts: []string{"X.com."}}}, "the host X.com. is of both @eu:eu-a/a and @eu:eu-a/b"},
		"one pattern": {[]SiteRule{{Site: inZone("a"), Hosts: []string{"*.x.com", "*.x.com"}}}, "the host *.x.com is of both"},
		"one range":   {[]SiteRule{{Site: inZone("a"), CIDRs: ranges("10.0.0.1/8")}, {Site: inZone("b"), CIDRs: ranges("10.0.0.0/8")}}, "the addresses 10.0.0.0/8 are of both"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if _, err := NewSites(c.rules); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("the error is %v, want %q", err, c.want)
			}
		})
	}
}

// known resolves addresses that it has.
type known map[string]flowgraph.WorkloadID

func (k known) Resolve(endpoints []Endpoint) []Resolution {
	answers := make([]Resolution, len(endpoints))
	for i, e := range endpoints {
		answers[i].Reason = UnknownAddress
		if id, ok := k[e.Name]; ok {
			answers[i] = Resolution{Shares: []Share{{Workload: id, Part: 1}}}
		}
		if e.Kind == ServiceEndpoint {
			answers[i].Reason = UnknownObject
		}
	}
	return answers
}

func TestSitesResolveAddresses(t *testing.T) {
	sites, err := NewSites([]SiteRule{{Site: inZone("db"), CIDRs: ranges("10.0.0.0/8")}})
	if err != nil {
		t.Fatal(err)
	}
	asked := []Endpoint{
		{Kind: AddressEndpoint, Name: "10.0.0.1"}, {Kind: AddressEndpoint, Name: "10.0.0.2"}, {Kind: AddressEndpoint, Name: "11.0.0.1"},
		{Kind: ServiceEndpoint, Namespace: "shop", Name: "10.0.0.2"},
	}
	web := flowgraph.WorkloadID{Namespace: "shop", Name: "web"}
	found := func(id flowgraph.WorkloadID) Resolution { return Resolution{Shares: []Share{{Workload: id, Part: 1}}} }
	cases := map[string]struct {
		other Resolver
		want  []Resolution
	}{
		"behind pods":     {known{"10.0.0.1": web}, []Resolution{found(web), found(inZone("db")), {Reason: UnknownAddress}, {Reason: UnknownObject}}},
		"without objects": {nil, []Resolution{found(inZone("db")), found(inZone("db")), {Reason: NoObjects}, {Reason: NoObjects}}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, sites.Resolver(c.other).Resolve(asked)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	if r := (&Sites{}).Resolver(nil); r != nil {
		t.Errorf("without sites the resolver is %v", r)
	}
}

// FuzzOfHost looks up what proxies write for hosts: whatever has a site is named by a rule.
func FuzzOfHost(f *testing.F) {
	sites, err := NewSites([]SiteRule{
		{Site: inZone("host"), Hosts: []string{"orders.example.com"}}, {Site: inZone("pattern"), Hosts: []string{"*.example.com"}},
		{Site: inZone("range"), CIDRs: ranges("10.0.0.0/8", "fd00::/16")},
	})
	if err != nil {
		f.Fatal(err)
	}
	for _, host := range []string{"orders.example.com", "a.b.example.com:80", "10.0.0.1:5432", "[fd00::1]:1", "fd00::1%x", "..example.com", "%:x", ":"} {
		f.Add(host)
	}
	f.Fuzz(func(t *testing.T, host string) {
		site, ok := sites.OfHost(host)
		named := strings.Contains(strings.ToLower(host), ".example.com")
		switch {
		case !ok && site != (flowgraph.WorkloadID{}):
			t.Errorf("%q has no site, which is %s", host, site)
		case ok && site != inZone("range") && !named:
			t.Errorf("%q is of %s", host, site)
		}
	})
}
