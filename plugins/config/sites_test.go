package config

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
)

const telemetryHeader = header + "prometheus: {url: 'http://p:9090'}\n"

func TestLoadSites(t *testing.T) {
	c, _, err := load(t, telemetryHeader+`
sites:
- {name: orders, region: eu-1, zone: eu-1a, hosts: ["*.rds.example.com", Orders.example.com.], cidrs: [10.1.0.0/16, "fd00:1::/32"]}
- {name: assets.s3, region: eu-1, hosts: [s3.example.com]}
`)
	if err != nil {
		t.Fatal(err)
	}
	var rules []telemetry.SiteRule
	for i := range c.Sites {
		rule, err := c.Sites[i].Rule()
		if err != nil {
			t.Fatal(err)
		}
		rules = append(rules, rule)
	}
	want := []telemetry.SiteRule{
		{
			Site: flowgraph.SiteID("orders", "eu-1", "eu-1a"), Hosts: []string{"*.rds.example.com", "Orders.example.com."},
			CIDRs: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("fd00:1::/32")},
		},
		{Site: flowgraph.SiteID("assets.s3", "eu-1", ""), Hosts: []string{"s3.example.com"}},
	}
	if diff := cmp.Diff(want, rules, cmpopts.EquateComparable(netip.Prefix{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, err := telemetry.NewSites(rules); err != nil {
		t.Error(err)
	}
}

func TestMistakesInSites(t *testing.T) {
	many := &strings.Builder{}
	for i := range 1001 {
		fmt.Fprintf(many, "- {name: s%d, zone: a, hosts: [h%d]}\n", i, i)
	}
	hosts := &strings.Builder{}
	for i := range 10001 {
		fmt.Fprintf(hosts, "h%d,", i)
	}
	cases := map[string]struct{ sites, want string }{
		"no name":           {"- {zone: a, hosts: [x.com]}", "sites[0].name: Required value: what graphs and reports call the site"},
		"bad name":          {"- {name: My DB, zone: a, hosts: [x.com]}", `sites[0].name: Invalid value: "My DB": must be a DNS name`},
		"same name":         {"- {name: db, zone: a, hosts: [x.com]}\n- {name: db, zone: b, hosts: [y.com]}", `sites[1].name: Duplicate value: "db"`},
		"nowhere":           {"- {name: db, hosts: [x.com]}", "sites[0].zone: Required value: say where the site is"},
		"bad zone":          {"- {name: db, zone: eu:a, hosts: [x.com]}", `sites[0].zone: Invalid value: "eu:a": must be the value of a node label`},
		"bad region":        {"- {name: db, region: eu/, hosts: [x.com]}", `sites[0].region: Invalid value: "eu/"`},
		"nothing":           {"- {name: db, zone: a}", "sites[0].hosts: Required value: say which traffic is with the site, by hosts or cidrs"},
		"star in the midst": {"- {name: db, zone: a, hosts: [db-*.x.com]}", `sites[0].hosts[0]: Invalid value: "db-*.x.com": must be the name of a host`},
		"all hosts":         {"- {name: db, zone: a, hosts: ['*']}", `sites[0].hosts[0]: Invalid value: "*"`},
		"port":              {"- {name: db, zone: a, hosts: ['x.com:5432']}", `sites[0].hosts[0]: Invalid value: "x.com:5432": must be a host without a port`},
		"address as a host": {"- {name: db, zone: a, hosts: [10.0.0.1]}", `sites[0].hosts[0]: Invalid value: "10.0.0.1": is an address; put it into cidrs`},
		"same host":         {"- {name: a, zone: a, hosts: [x.com]}\n- {name: b, zone: a, hosts: [X.com.]}", `sites[1].hosts[0]: Invalid value: "X.com.": is sites[0].hosts[0] already; the most specific host or range counts, and these are the same`},
		"one address":       {"- {name: db, zone: a, cidrs: ['fd00::1']}", `sites[0].cidrs[0]: Invalid value: "fd00::1": must be a range; one address is fd00::1/128`},
		"no range":          {"- {name: db, zone: a, cidrs: [10.0.0.0/33]}", `sites[0].cidrs[0]: Invalid value: "10.0.0.0/33": must be a range of addresses`},
		"within a range":    {"- {name: db, zone: a, cidrs: [10.0.0.1/8]}", `sites[0].cidrs[0]: Invalid value: "10.0.0.1/8": must begin at its first address: 10.0.0.0/8`},
		"same range":        {"- {name: db, zone: a, cidrs: [10.0.0.0/8, 10.0.0.0/8]}", "sites[0].cidrs[1]: Invalid value: \"10.0.0.0/8\": is sites[0].cidrs[0] already"},
		"too many":          {many.String(), "sites: Too many: 1001: must have at most 1000 items"},
		"too many hosts":    {"- {name: db, zone: a, hosts: [" + hosts.String() + "]}", "sites: Invalid value: 10001: are the hosts and cidrs of all sites, at most 10000"},
		"unknown field":     {"- {name: db, zone: a, host: x.com}", "sites[0].host: Forbidden: unknown field; known here are cidrs, hosts, name, region, zone"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if _, _, err := load(t, telemetryHeader+"sites:\n"+c.sites+"\n"); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("the error is %v, want %q", err, c.want)
			}
		})
	}
}
