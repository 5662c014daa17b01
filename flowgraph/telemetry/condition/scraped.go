package condition

import (
	"fmt"
	"net"
	"slices"

	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
)

// replicaLabels tell the copies of a proxy's series apart, the most telling first:
// those of Prometheus replicas behind one query endpoint, then those of scrapes.
func replicaLabels() []string {
	return []string{"prometheus_replica", "replica", "receive_replica", "prometheus", "job"}
}

// ProxyLabels are the labels to group the series of any one metric by, for Proxies.
// workloads are further ones, which Proxies.Who needs.
func ProxyLabels(workloads []string) []string {
	return slices.Concat(replicaLabels(), []string{"cluster", "namespace", "pod", "pod_name", "kubernetes_pod_name", "instance"}, workloads)
}

// Proxies finds proxies whose series a server has several times: scraped by two jobs,
// or by two Prometheus replicas that nothing deduplicates. The zero value is empty.
type Proxies struct {
	// Who tells which workload reports a series, where no label of a scrape names its
	// proxy; "" when that is not known.
	Who func(telemetry.Labels) string

	seen     map[string]*proxy // by pod, or by address
	nameless bool
}

// Nameless reports whether some series name neither a pod nor an address, so that
// the labels of workloads are needed too.
func (p *Proxies) Nameless() bool { return p.nameless }

// proxy is what is known of one proxy.
type proxy struct {
	address bool // it is known by its address
	podless bool // some of its series name no pod
	values  map[string]map[string]bool
}

// Add takes the labels of one series.
func (p *Proxies) Add(l telemetry.Labels) {
	pod := firstOf(l, "pod", "pod_name", "kubernetes_pod_name")
	host := hostOf(l.Get("instance"))
	if pod != "" {
		pod = "pod " + l.Get("namespace") + "/" + pod
		p.note(l, pod)
	}
	switch {
	case host != "":
		seen := p.note(l, "address "+host)
		seen.address, seen.podless = true, seen.podless || pod == ""
	case pod == "":
		p.nameless = true
		if who := p.Who(l); who != "" {
			p.note(l, "workload "+who)
		}
	}
}

// How many proxies are looked at, and how many values of a label for each: targets that
// name ever new ones take no more memory.
const (
	maxProxies  = 100_000
	maxReplicas = 16
)

func (p *Proxies) note(l telemetry.Labels, who string) *proxy {
	who = l.Get("cluster") + " " + who
	if p.seen == nil {
		p.seen = map[string]*proxy{}
	}
	seen := p.seen[who]
	if seen == nil {
		seen = &proxy{values: map[string]map[string]bool{}}
		if len(p.seen) < maxProxies {
			p.seen[who] = seen
		}
	}
	for _, label := range replicaLabels() {
		if seen.values[label] == nil {
			seen.values[label] = map[string]bool{}
		}
		if len(seen.values[label]) < maxReplicas {
			seen.values[label][l.Get(label)] = true
		}
	}
	return seen
}

// Findings returns a finding for each label under several of whose values a proxy has
// series. selector is the source's own.
func (p *Proxies) Findings(selector string) []telemetry.Finding {
	var found []telemetry.Finding
	for _, label := range replicaLabels() {
		twice, values := 0, map[string]int{}
		for _, seen := range p.seen {
			if len(seen.values[label]) < 2 || seen.address && !seen.podless {
				continue // pods tell more: those of a host's network share an address
			}
			twice++
			for value := range seen.values[label] {
				values[value]++
			}
		}
		if twice > 0 {
			found = append(found, p.scrapedTwice(label, twice, values, selector))
		}
	}
	return found
}

func (p *Proxies) scrapedTwice(label string, proxies int, values map[string]int, selector string) telemetry.Finding {
	best := ""
	for value, n := range values {
		if best == "" || value != "" && (n > values[best] || n == values[best] && value < best) {
			best = value
		}
	}
	who := count(proxies, "proxy has", "proxies have")
	if p.nameless {
		who = count(proxies, "proxy or workload has", "proxies or workloads have")
	}
	f := telemetry.Finding{
		Condition: telemetry.ScrapedTwice, About: label,
		What:    fmt.Sprintf("%s series under %d values of the label %s", who, len(values), label),
		Names:   names(values),
		Why:     fmt.Sprintf("their traffic is counted once for each, so that rates are up to %d times what they are", len(values)),
		Setting: "selector", Value: And(selector, label, best),
	}
	if label == "job" {
		f.Do = "let only one job scrape the proxies"
	} else {
		f.Do = "let the query endpoint deduplicate replicas by this label"
	}
	return f
}

func firstOf(l telemetry.Labels, labels ...string) string {
	for _, label := range labels {
		if value := l.Get(label); value != "" {
			return value
		}
	}
	return ""
}

// hostOf returns an address without its port: the ports of one proxy differ.
func hostOf(instance string) string {
	if host, _, err := net.SplitHostPort(instance); err == nil {
		return host
	}
	return instance
}
