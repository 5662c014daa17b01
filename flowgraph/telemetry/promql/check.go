package promql

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/prometheus/common/model"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry/tally"
)

// Mistake is something wrong with a Definition.
type Mistake struct {
	// Field is the path of the field below the Definition, such as "queries[0].query".
	Field string
	// Value is what it has, "" when it is missing.
	Value string
	// Text says what is wrong and what to do.
	Text string
}

// checker gathers mistakes.
type checker struct {
	use      Use
	mistakes []Mistake
	path     string
}

func (c *checker) add(field, value, format string, args ...any) {
	c.mistakes = append(c.mistakes, Mistake{c.path + field, value, fmt.Sprintf(format, args...)})
}

// Use is what a definition is used with, which must fit it.
type Use struct {
	// Cluster and Selector are as in Options.
	Cluster, Selector string
	Trust             *telemetry.Trust
}

// Check returns every mistake in a definition whose defaults have been set.
func (d *Definition) Check(use Use) []Mistake {
	c := &checker{use: use}
	if len(d.Queries) == 0 {
		c.add("queries", "", "name at least one query")
	}
	if len(d.Queries) > tally.MaxMetrics {
		c.add("queries", fmt.Sprint(len(d.Queries)), "must be at most %d: add up in PromQL what measures the same", tally.MaxMetrics)
	}
	names := map[string]bool{splitQuery: d.Split != nil}
	for i, q := range d.Queries {
		c.path = fmt.Sprintf("queries[%d].", i)
		if names[q.Name] {
			c.add("name", q.Name, "must be unique: give each query a name of its own")
		}
		names[q.Name] = true
		c.query(d, &q)
	}
	for i := range d.Wanted {
		c.wanted(i, &d.Wanted[i])
	}
	c.path = ""
	c.ends("client", d.Client)
	c.ends("server", d.Server)
	if use.Cluster != "" && !slices.ContainsFunc(slices.Concat(d.Client, d.Server), namesCluster) {
		c.add("server", "", "the source has a cluster, and nothing says which cluster an end is in: give the ends a clusterLabel, or select the cluster with the source's selector")
	}
	if d.Split != nil {
		c.split(d.Split)
	}
	c.path = "reporters."
	c.reporters(&d.Reporters)
	return c.mistakes
}

// namesCluster reports whether labels say which cluster an end is in.
func namesCluster(e End) bool { return e.ClusterLabel != "" || hasGroup(e.Pattern, "cluster") }

func (c *checker) query(d *Definition, q *Query) {
	c.oneOf("measures", string(q.Measures), strs(Measures()))
	switch {
	case q.Measures != Requests:
		c.oneOf("unit", string(q.Unit), strs(Units()))
	case q.Unit != "":
		c.add("unit", string(q.Unit), "must not be set: requests have no unit")
	}
	c.promQL("query", q.Query, d.labels(c.use.Trust.ReporterLabel))
}

// promQL checks the PromQL of a field whose answers must have labels.
func (c *checker) promQL(field, query string, needed []string) {
	needed = slices.DeleteFunc(needed, func(l string) bool { return l == clusterLabel })
	if err := checkQuery(query, needed); err != nil {
		c.add(field, query, "%v", err)
		return
	}
	if c.use.Selector != "" && !uses(query, selectorPlaceholder) {
		c.add(field, query, "the source has a selector, which has no place in the query: write $selector among the matchers of the metric")
	}
}

func (c *checker) oneOf(field, value string, known []string) {
	if !slices.Contains(known, value) {
		c.add(field, value, "must be one of %v", known)
	}
}

func strs[T ~string](all []T) []string {
	texts := make([]string, len(all))
	for i, s := range all {
		texts[i] = string(s)
	}
	return texts
}

func (c *checker) ends(which string, ends []End) {
	if len(ends) == 0 {
		c.add(which, "", "say which labels name the %s, such as {namespaceLabel: namespace, nameLabel: deployment}", which)
	}
	for i := range ends {
		c.path = fmt.Sprintf("%s[%d].", which, i)
		c.end(&ends[i], i+1 == len(ends))
	}
	c.path = ""
}

func (c *checker) end(e *End, last bool) {
	c.label("kindLabel", e.KindLabel)
	c.label("namespaceLabel", e.NamespaceLabel)
	c.label("nameLabel", e.NameLabel)
	c.label("label", e.Label)
	c.label("clusterLabel", e.ClusterLabel)
	if e.KindLabel == "" {
		c.oneOf("kind", string(e.Kind), strs(Kinds()))
	} else if e.Kind != "" {
		c.add("kind", string(e.Kind), "must not be set beside kindLabel, which has the kind")
	}
	if e.Namespace != "" && !flowgraph.ValidNamespace(e.Namespace) {
		c.add("namespace", e.Namespace, "must be the name of a namespace")
	}
	app := e.Kind == Kind(telemetry.AppEndpoint.String())
	if e.PodLabel != "" && !app {
		c.add("podLabel", e.PodLabel, "goes with kind app only")
	}
	groups := c.pattern(e)
	switch {
	case e.Kind == External && len(e.labels()) == 0:
		if !last {
			c.add("kind", string(External), "names everything here: put it last, or give it a label")
		}
		return
	case e.Kind.isLeftOut() && len(e.labels()) == 0:
		c.add("label", "", "say which label shows that the end is %s", e.Kind)
	case e.NameLabel == "" && !slices.Contains(groups, "name") && !e.Kind.isLeftOut():
		c.add("nameLabel", "", "say which label has the name, or take it out of a label with several parts by label and pattern")
	}
	c.namespace(e, slices.Contains(groups, "namespace"))
}

// label checks the name of a label of series, which may be "". Names of OpenTelemetry, with
// dots, are labels of Prometheus too.
func (c *checker) label(field, label string) {
	if label != "" && (!model.UTF8Validation.IsValidLabelName(label) || strings.ContainsFunc(label, notInLabel)) {
		c.add(field, label, "must be the name of a label in Prometheus, such as namespace or k8s.namespace.name")
	}
}

// notInLabel reports whether no label is named with a character: it would have to be escaped.
func notInLabel(r rune) bool {
	return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("_.:/-", r)
}

// namespace checks where the namespace comes from.
func (c *checker) namespace(e *End, inPattern bool) {
	kind, _ := e.Kind.endpointKind()
	has := 0
	for _, is := range []bool{inPattern, e.NamespaceLabel != "", e.Namespace != ""} {
		if is {
			has++
		}
	}
	switch {
	case e.Kind.isLeftOut():
	case kind == telemetry.AddressEndpoint && e.KindLabel == "":
		if has > 0 {
			c.add("namespaceLabel", e.NamespaceLabel+e.Namespace, "must not be set: an address is in no namespace")
		}
	case has > 1:
		c.add("namespaceLabel", e.NamespaceLabel+e.Namespace, "the namespace comes from one place only: namespaceLabel, namespace, or the group of a pattern")
	case has == 0 && (kind != telemetry.ServiceEndpoint && kind != telemetry.ConsulServiceEndpoint || e.KindLabel != ""):
		c.add("namespaceLabel", "", "say which label has the namespace, or name it in namespace; only a service may do without, when no other has its name")
	}
}

// pattern checks the pattern of an end and returns its groups.
func (c *checker) pattern(e *End) []string {
	switch {
	case e.Label == "" && e.Pattern == "":
		return nil
	case e.Label == "":
		c.add("label", "", "say to which label the pattern is applied")
		return nil
	case e.Pattern == "" && !e.Kind.isLeftOut():
		c.add("pattern", "", "say how the label is taken apart, such as (?P<namespace>[^/]+)/(?P<name>.+); a label that is the name alone is a nameLabel")
		return nil
	}
	re, err := compile(e.Pattern)
	if err != nil {
		c.add("pattern", e.Pattern, "must be a regular expression: %v", err)
		return nil
	}
	for _, group := range re.SubexpNames() {
		if group != "" && !slices.Contains(groups(), group) {
			c.add("pattern", e.Pattern, "the group %s is not known; known are %v", group, groups())
		}
	}
	return re.SubexpNames()
}

// groups are those that a pattern may have.
func groups() []string { return []string{"namespace", "name", "kind", "cluster"} }

// compile compiles a pattern, which matches whole values.
func compile(pattern string) (*regexp.Regexp, error) { return regexp.Compile("^(?s:" + pattern + ")$") }

// hasGroup reports whether a pattern has a group.
func hasGroup(pattern, group string) bool {
	re, err := compile(pattern)
	return err == nil && slices.Contains(re.SubexpNames(), group)
}

func (c *checker) reporters(r *Reporters) {
	trust := c.use.Trust
	c.oneOf("by", string(r.By), strs(Bys()))
	c.oneOf("instances", string(r.Instances), strs(InstancesValues()))
	c.label("label", r.Label)
	c.label("instanceLabel", r.InstanceLabel)
	switch {
	case r.By != ByBoth:
		if r.Label+r.ClientValue+r.ServerValue != "" {
			c.add("label", r.Label, "label, clientValue and serverValue go with by: both")
		}
	case r.Label == "":
		c.add("label", "", "say which label tells whether the client's or the server's end reports")
	case r.ClientValue == "" || r.ServerValue == "" || r.ClientValue == r.ServerValue:
		c.add("clientValue", r.ClientValue, "clientValue and serverValue are the two values of the label %s", r.Label)
	}
	if (r.Instances == Maximum) != (r.InstanceLabel != "") {
		c.add("instanceLabel", r.InstanceLabel, "instances: maximum and an instanceLabel, such as instance, go together")
	}
	if trust.Agreed && (r.By == ByClient || r.By == ByServer) {
		c.add("by", string(r.By), "one end alone reports, and with trust.agreement: agreed nothing between namespaces would count. "+
			"Set trust.agreement: larger, or use a source that both ends or trusted agents report")
	}
	if r.By == ByAgents && trust.Agreed && !trust.Identifies() {
		c.add("by", string(r.By), "with trust.agreement: agreed agents stand for both ends, so it must be known who is one: "+
			"set trust.reporterNamespaceLabel, and trust.trustedReporterNamespaces to their namespaces")
	}
	if r.By == ByAgents && trust.Identifies() && len(trust.TrustedReporters) == 0 {
		c.add("by", string(r.By), "with trust.reporterNamespaceLabel agents are believed only from trusted namespaces: name theirs in trust.trustedReporterNamespaces")
	}
}
