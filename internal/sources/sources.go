// Package sources is the table of the types of telemetry sources that a configuration can
// name: what each is, how it is made, and a text that a TelemetryConfiguration can begin
// with. A type that is data is one file in the directory types; one that needs logic has a
// line in this package too. It is the only place that maps types to packages of sources.
package sources

import (
	"embed"
	"fmt"
	"path"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry/istio"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry/promql"
	v1 "github.com/vicinity-sched/vicinity/plugins/config/v1"
)

// files has a file for each type, named after it: a comment whose first line says what
// the type reads, and a list of one source.
//
//go:embed types
var files embed.FS

// Type is a type of sources.
type Type struct {
	Name v1.SourceType
	// Summary says in a line what it reads.
	Summary string
	// Text is YAML with comments, whose sources can be pasted into a
	// TelemetryConfiguration.
	Text string
	// Definition is the type as data. It is nil where the configuration has the
	// definition, and where nobody has written one of a type that is code.
	Definition *promql.Definition

	code *code
}

// code is a type that needs logic.
type code struct {
	make func(v1.TelemetrySource, telemetry.Trust, telemetry.Resolver) (telemetry.Source, error)
	// records says that there are recording rules that it can read.
	records bool
	// own are the labels that its queries match.
	own []string
}

// logic returns the types that are not data alone.
func logic() map[v1.SourceType]*code {
	return map[v1.SourceType]*code{
		istio.Type: {
			make: func(s v1.TelemetrySource, trust telemetry.Trust, _ telemetry.Resolver) (telemetry.Source, error) {
				return istio.NewSidecar(istio.Options{
					Name: s.Name, Window: s.Window.Duration, Cluster: s.Cluster, Selector: s.Selector, Recorded: s.Recorded, Trust: trust,
				})
			},
			records: true, own: []string{"reporter"},
		},
	}
}

// All returns every type, in the order of their names.
func All() ([]Type, error) {
	entries, err := files.ReadDir("types")
	if err != nil {
		return nil, err
	}
	var all []Type
	for _, e := range entries {
		text, err := files.ReadFile(path.Join("types", e.Name()))
		if err != nil {
			return nil, err
		}
		t, err := read(v1.SourceType(strings.TrimSuffix(e.Name(), ".yaml")), string(text))
		if err != nil {
			return nil, fmt.Errorf("types/%s: %w", e.Name(), err)
		}
		all = append(all, t)
	}
	return all, nil
}

// read reads the file of a type.
func read(name v1.SourceType, text string) (Type, error) {
	var c struct {
		Sources []v1.TelemetrySource `json:"sources"`
	}
	if err := yaml.UnmarshalStrict([]byte(text), &c); err != nil {
		return Type{}, err
	}
	if len(c.Sources) != 1 {
		return Type{}, fmt.Errorf("%d sources; want one", len(c.Sources))
	}
	summary, _, _ := strings.Cut(strings.TrimPrefix(text, "# "), "\n")
	t := Type{Name: name, Summary: summary, Text: text, Definition: c.Sources[0].PromQL, code: logic()[name]}
	if t.IsCustom() {
		t.Definition = nil // an example
	}
	return t, nil
}

// Named returns the type of a name. ok is false when there is none.
func Named(name v1.SourceType) (t Type, ok bool, err error) {
	all, err := All()
	for _, t := range all {
		if t.Name == name {
			return t, true, nil
		}
	}
	return Type{}, false, err
}

// IsCustom reports whether the definition is in the configuration.
func (t *Type) IsCustom() bool { return t.Name == promql.Type }

// IsCode reports whether the type needs logic beyond its Definition.
func (t *Type) IsCode() bool { return t.code != nil }

// HasRules reports whether there are recording rules that sources of the type can read.
func (t *Type) HasRules() bool { return t.code != nil && t.code.records }

// OwnLabels returns the labels that the queries match, which a selector must not.
func (t *Type) OwnLabels() []string {
	if t.code == nil {
		return nil
	}
	return t.code.own
}

// definition returns the data of a source, nil where it is code.
func (t *Type) definition(s v1.TelemetrySource) *promql.Definition {
	switch {
	case t.IsCode():
		return nil
	case t.IsCustom():
		return s.PromQL
	}
	return t.Definition
}

// Check returns the mistakes in the definition of a source, whose defaults have been set.
func (t *Type) Check(s v1.TelemetrySource, trust *telemetry.Trust) []promql.Mistake {
	d := t.definition(s)
	if d == nil {
		return nil
	}
	checked := d.WithDefaults()
	return checked.Check(promql.Use{Cluster: s.Cluster, Selector: s.Selector, Trust: trust})
}

// New returns a source, whose defaults have been set and which has been validated.
// resolver may be nil.
func New(s v1.TelemetrySource, trust telemetry.Trust, resolver telemetry.Resolver) (telemetry.Source, error) {
	t, ok, err := Named(s.Type)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, fmt.Errorf("type %q is not supported", s.Type)
	}
	if resolver != nil {
		resolver = telemetry.Remember(resolver)
	}
	if t.code != nil {
		return t.code.make(s, trust, resolver)
	}
	d := t.definition(s)
	if d == nil {
		return nil, fmt.Errorf("type %s has no definition", s.Type)
	}
	return promql.New(promql.Options{
		Name: s.Name, Type: string(s.Type), Definition: *d, Window: s.Window.Duration, Cluster: s.Cluster, Selector: s.Selector,
		Trust: trust, Resolver: resolver,
	})
}
