package doctor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/vicinity-sched/vicinity/internal/show"
	v1 "github.com/vicinity-sched/vicinity/plugins/config/v1"
)

// change is a field of the TelemetryConfiguration that should be set.
type change struct {
	source string // name of the source, "" for a field that is none of a source
	field  string // below the source, else from the top, such as "trust.agreement"
	value  any
	why    string
	// severity is that of the result that asks for it.
	severity Severity
}

// fieldTrusted is the field of which only people can say who belongs there.
const fieldTrusted = "trust.trustedReporterNamespaces"

func (c change) path() string {
	if c.source == "" {
		return c.field
	}
	return fmt.Sprintf("%s of the source %s", c.field, c.source)
}

// configuration says whether the configured TelemetryConfiguration is what would be suggested.
func (l *look) configuration(context.Context) []Result {
	if l.File == "" {
		return []Result{{
			Check: nameConfiguration, Severity: Note, What: "No TelemetryConfiguration is given, so none is compared with what this telemetry allows.",
			Why: "The scheduler reads one, and what it says decides which reports count.", Next: "Give it with --telemetry-config FILE, or print one with --suggest. The chart's is in a ConfigMap: kubectl -n vicinity-system get configmap vicinity-config -o jsonpath='{.data.telemetry\\.yaml}'",
		}}
	}
	if len(l.changes) == 0 {
		return []Result{good(nameConfiguration, "%s fits this telemetry.", l.File)}
	}
	r := Result{Check: nameConfiguration, Severity: Note, Why: "The results above say why, one by one."}
	var all []string
	for _, c := range l.changes {
		all = append(all, fmt.Sprintf("%s could be %v", c.path(), c.value))
		if c.severity >= Warning {
			r.Severity = Warning
		}
	}
	r.What = fmt.Sprintf("%s differs from what this telemetry allows: %s.", l.File, strings.Join(all, "; "))
	r.Next = "Compare it with: vicinity doctor --telemetry-config " + l.File + " --suggest"
	return []Result{r}
}

// errNothing is the error of a suggestion where nothing has been found.
var errNothing = errors.New("there is nothing to suggest: no source of traffic has been found; see why with: vicinity doctor")

// Suggest writes the TelemetryConfiguration that fits what the checks have found, with comments
// that say why. With a File it is that, with what should be changed. The checks must have run.
func (e *Examination) Suggest(w io.Writer) error {
	l := &e.look
	switch {
	case l.BadConfig != nil:
		return l.BadConfig
	case l.broken != "":
		return fmt.Errorf("there is nothing to suggest: %s See why with: vicinity doctor", l.broken)
	case l.cfg == nil:
		return errNothing
	}
	whole, err := l.base()
	if err != nil {
		return err
	}
	comments := map[string][]string{}
	l.describeSources(comments)
	if u, err := url.Parse(l.Config.Prometheus.URL); err == nil && isLoopback(u.Hostname()) && l.File == "" {
		comments["prometheus.url"] = []string{"The scheduler needs the address within the cluster, such as http://prometheus.monitoring.svc:9090."}
	}
	for _, c := range l.changes {
		l.apply(whole, c, comments)
	}
	text, err := yaml.Marshal(whole)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "# Suggested by vicinity doctor on %s for %s.\n", show.Moment(l.at()), l.Config.Prometheus.URL)
	return annotate(w, string(text), comments)
}

// isLoopback reports whether a host is this machine.
func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// base is the file as it is, or a configuration of the flags and of what has been found.
func (l *look) base() (map[string]any, error) {
	whole := map[string]any{}
	if l.File != "" {
		data, err := os.ReadFile(l.File)
		if err != nil {
			return nil, err // names the path
		}
		if err := yaml.Unmarshal(data, &whole); err != nil {
			return nil, fmt.Errorf("%s: %w", l.File, err)
		}
		return whole, nil
	}
	standard := v1.TelemetryConfiguration{}
	standard.SetDefaults()
	server := map[string]any{"url": l.Config.Prometheus.URL}
	if t := l.Config.Prometheus.Timeout.Duration; t != standard.Prometheus.Timeout.Duration {
		server["timeout"] = show.Duration(t)
	}
	var sources []any
	for _, s := range l.cfg.Sources {
		source := map[string]any{"type": string(s.Type), "window": show.Duration(s.Window.Duration)}
		if s.Cluster != "" {
			source["cluster"] = s.Cluster
		}
		if s.Selector != "" {
			source["selector"] = s.Selector
		}
		sources = append(sources, source)
	}
	whole["apiVersion"], whole["kind"] = v1.GroupVersion, v1.TelemetryConfigurationKind
	whole["prometheus"], whole["sources"] = server, sources
	return whole, nil
}

// describeSources says in comments what has been found of each source.
func (l *look) describeSources(comments map[string][]string) {
	for i, s := range l.cfg.Sources {
		f := l.of(s.Type)
		if f == nil {
			continue
		}
		at := fmt.Sprintf("sources[%d]", i)
		text := fmt.Sprintf("%s: %s", s.Type, series(f.Series()))
		if slowest := l.slowest(i); slowest.interval > 0 {
			text += fmt.Sprintf(", scraped every %s, so window must be at least %s", show.Duration(slowest.interval), show.Duration(leastWindow(slowest.interval)))
		}
		comments[at] = append(comments[at], text+".")
	}
	if len(l.cfg.Sources) > 1 {
		comments["sources"] = append(comments["sources"], "Of traffic that several sources see, the largest rate counts, never the sum.")
	}
}

// apply makes a change, with a comment.
func (l *look) apply(whole map[string]any, c change, comments map[string][]string) {
	path := strings.Split(c.field, ".")
	into, at := whole, c.field
	switch {
	case c.field == "sources":
		var sources []any
		for _, t := range c.value.([]string) {
			sources = append(sources, map[string]any{"type": t})
		}
		whole["sources"] = sources
		comments["sources"] = append(comments["sources"], c.why+".")
		return
	case c.source != "":
		i := slices.IndexFunc(l.cfg.Sources, func(s v1.TelemetrySource) bool { return s.Name == c.source })
		sources, _ := whole["sources"].([]any)
		if whole["sources"] == nil { // the default one
			sources = []any{map[string]any{"type": string(l.cfg.Sources[0].Type)}}
			whole["sources"] = sources
		}
		if i < 0 || i >= len(sources) {
			return
		}
		if sources[i] == nil { // the file has a source of which it says nothing
			sources[i] = map[string]any{}
		}
		into, _ = sources[i].(map[string]any)
		at = fmt.Sprintf("sources[%d].%s", i, c.field)
	case len(path) == 2:
		section, _ := whole[path[0]].(map[string]any)
		if section == nil {
			section = map[string]any{}
			whole[path[0]] = section
		}
		into = section
	}
	into[path[len(path)-1]] = c.value
	comments[at] = append(comments[at], strings.ToUpper(c.why[:1])+c.why[1:]+".")
	if c.field == fieldTrusted {
		comments[at] = append(comments[at], "Remove every namespace whose targets are no agents of yours, such as ztunnel: who is trusted is believed about everybody's traffic.")
	}
}

// annotate writes YAML, as yaml.Marshal indents it, with comments before the keys and list
// elements that they are about.
func annotate(w io.Writer, text string, comments map[string][]string) error {
	top, index := "", -1
	for line := range strings.Lines(text) {
		bare := strings.TrimLeft(line, " ")
		key, _, isKey := strings.Cut(bare, ":")
		at, indent := "", line[:len(line)-len(bare)]
		switch element := strings.HasPrefix(bare, "- "); {
		case indent == "" && element && top == "sources":
			index++
			at = fmt.Sprintf("sources[%d]", index)
			if err := comment(w, indent, comments[at]); err != nil {
				return err
			}
			// Its first key is on the same line.
			first := strings.TrimPrefix(key, "- ")
			if err := comment(w, indent, comments[at+"."+first]); err != nil {
				return err
			}
			at = ""
		case indent == "" && isKey && !element:
			top, index, at = key, -1, key
		case top == "sources" && indent == "  ":
			at = fmt.Sprintf("sources[%d].%s", index, key)
		case indent == "  ":
			at = top + "." + key
		}
		if err := comment(w, indent, comments[at]); at != "" && err != nil {
			return err
		}
		if _, err := io.WriteString(w, line); err != nil {
			return err
		}
	}
	return nil
}

// commentWidth is how wide comments are at most.
const commentWidth = 96

// comment writes lines of comment.
func comment(w io.Writer, indent string, texts []string) error {
	for _, text := range texts {
		line := indent + "#"
		for _, word := range strings.Fields(show.Printable(text)) {
			if len(line)+1+len(word) > commentWidth && line != indent+"#" {
				if _, err := fmt.Fprintln(w, line); err != nil {
					return err
				}
				line = indent + "#"
			}
			line += " " + word
		}
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
	}
	return nil
}
