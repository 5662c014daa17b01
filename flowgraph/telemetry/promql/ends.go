package promql

import (
	"regexp"
	"strings"

	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
)

// endReader reads an end in one of the ways that a definition gives.
type endReader struct {
	End
	pattern *regexp.Regexp // nil without one
}

func readersOf(ends []End) []endReader {
	var all []endReader
	for _, e := range ends {
		r := endReader{End: e}
		if e.Pattern != "" {
			r.pattern, _ = compile(e.Pattern) // has been checked
		}
		all = append(all, r)
	}
	return all
}

// parts is what labels say of an end.
type parts struct {
	kind, namespace, name, cluster string
	matches                        bool // the pattern does
}

// end is an end of a series.
type end struct {
	endpoint telemetry.Endpoint
	cluster  string
	// reason says why the endpoint is none, lacks for a label that is missing.
	reason telemetry.Reason
	lacks  string
}

// unknown is what meshes write for a name that they do not know.
const unknown = "unknown"

// read reads an end by the first of the ways in which the labels name one.
func (a *answers) read(ways []endReader, l telemetry.Labels) end {
	none := end{reason: telemetry.MissingLabel}
	for i := range ways {
		p, lacks := a.parts(&ways[i], l)
		switch {
		case lacks != "":
			if none.lacks == "" && none.reason == telemetry.MissingLabel {
				none.lacks = lacks
			}
			continue
		case p.name == unknown || p.namespace == unknown:
			none = end{reason: telemetry.UnknownWorkload}
			continue
		}
		return a.end(&ways[i], p)
	}
	return none
}

// end is what the parts name.
func (a *answers) end(r *endReader, p parts) end {
	reason := telemetry.External
	kind, named := r.Kind.endpointKind()
	switch left, ok := r.Kind.leftOut(); {
	case ok:
		reason = left
	case r.Kind == "" || p.kind != "":
		kind, named = kindOf(p.kind)
	}
	cluster := p.cluster
	if cluster == unknown {
		cluster = ""
	}
	switch {
	case !named:
		if site, ok := a.source.o.Trust.Sites.OfHost(p.name); ok && reason == telemetry.External {
			return end{endpoint: telemetry.SiteEndpointOf(site)}
		}
		return end{reason: reason, cluster: cluster}
	case kind == telemetry.AppEndpoint:
		p.name = r.PodLabel + "=" + p.name
	case kind == telemetry.AddressEndpoint:
		p.namespace = ""
	}
	return end{endpoint: telemetry.Endpoint{Kind: kind, Namespace: p.namespace, Name: p.name}, cluster: cluster}
}

// kindOf returns the kind of endpoint that the name of a kind of Kubernetes, in any case,
// stands for. ok is false for what is outside the cluster or no pod.
func kindOf(name string) (kind telemetry.EndpointKind, ok bool) {
	switch strings.ToLower(name) {
	case "service":
		return telemetry.ServiceEndpoint, true
	case "pod":
		return telemetry.PodEndpoint, true
	case "replicaset":
		return telemetry.ReplicaSetEndpoint, true
	case "job":
		return telemetry.JobEndpoint, true
	case "node", "external":
		return 0, false
	}
	return telemetry.WorkloadEndpoint, true
}

// parts reads what the labels say. lacks is a label without which they name nothing.
func (a *answers) parts(r *endReader, l telemetry.Labels) (p parts, lacks string) {
	if r.Label != "" {
		value := l.Get(r.Label)
		if value == "" {
			return p, r.Label
		}
		if r.pattern != nil {
			if p = a.takeApart(r, value); !p.matches {
				return p, r.Label
			}
		}
	}
	for _, from := range [...]struct {
		into  *string
		label string
	}{{&p.kind, r.KindLabel}, {&p.namespace, r.NamespaceLabel}, {&p.name, r.NameLabel}, {&p.cluster, r.ClusterLabel}} {
		if from.label != "" && *from.into == "" {
			*from.into = l.Get(from.label)
		}
	}
	if r.Namespace != "" {
		p.namespace = r.Namespace
	}
	switch {
	case r.KindLabel != "" && p.kind == "":
		return p, r.KindLabel // a name alone may be a workload's or a Service's
	case r.NamespaceLabel != "" && p.namespace == "" && !r.Kind.isLeftOut():
		return p, r.NamespaceLabel
	case r.NameLabel != "" && p.name == "":
		return p, r.NameLabel
	case p.name == "" && !r.Kind.isLeftOut():
		return p, r.Label
	}
	return p, ""
}

// maxTaken is how many values of a label are held taken apart. A mesh has some thousand
// of them, and a million series.
const maxTaken = 20_000

// takeApart returns the parts of a label's value.
func (a *answers) takeApart(r *endReader, value string) parts {
	known := a.taken[r]
	if p, ok := known[value]; ok {
		return p
	}
	var p parts
	if m := r.pattern.FindStringSubmatch(value); m != nil {
		p.matches = true
		for i, group := range r.pattern.SubexpNames() {
			switch group {
			case "kind":
				p.kind = m[i]
			case "namespace":
				p.namespace = m[i]
			case "name":
				p.name = m[i]
			case "cluster":
				p.cluster = m[i]
			}
		}
	}
	if known == nil || len(known) >= maxTaken {
		known = map[string]parts{}
		a.taken[r] = known
	}
	known[value] = p
	return p
}
