// Package attest writes and checks what is said of a release: a provenance of SLSA in a
// statement of in-toto, and signatures made with a key in a file. It reaches no network,
// so that nothing is in a transparency log, and no identity but that of the key is known.
package attest

import (
	"bytes"
	"encoding/json"
	"fmt"

	provenance "github.com/in-toto/attestation/go/predicates/provenance/v1"
	statement "github.com/in-toto/attestation/go/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
)

const (
	predicateType = "https://slsa.dev/provenance/v1"
	source        = "https://github.com/vicinity-sched/vicinity"
	manual        = source + "/blob/main/docs/releasing.md"
	// buildType says how to read the parameters, and what they make.
	buildType = manual + "#provenance"
	// builder is whoever ran make release: no service vouches for the machine.
	builder = manual + "#who-builds"
)

// Subject is a file of a release, or an image, with its SHA-256 in hexadecimal.
type Subject struct{ Name, SHA256 string }

// Build is what a release was made from, and how.
type Build struct {
	Version string
	// Commit is the whole hash.
	Commit string
	// Go is the version, as go1.26.8.
	Go string
	// GoSums are the SHA-256 of go.sum files by their path in the repository: with them
	// every module is known.
	GoSums []Subject
	// Platforms and Programs are what make release was asked for.
	Platforms, Programs []string
	// Epoch is SOURCE_DATE_EPOCH.
	Epoch int64
}

// Statement returns the provenance of subjects as JSON. It has no time and no identifier
// of a run: the same release made twice has the same provenance.
func Statement(b Build, subjects []Subject) ([]byte, error) {
	external, err := structpb.NewStruct(map[string]any{
		"source": source, "target": "release", "VERSION": b.Version, "SOURCE_DATE_EPOCH": b.Epoch,
		"PLATFORMS": list(b.Platforms), "PROGRAMS": list(b.Programs),
	})
	if err != nil {
		return nil, err
	}
	commit := "git+" + source + "@" + b.Commit
	dependencies := []*statement.ResourceDescriptor{
		{Uri: commit, Digest: map[string]string{"gitCommit": b.Commit}},
		{Name: b.Go, Uri: "https://go.dev/dl/#" + b.Go},
	}
	for _, sum := range b.GoSums {
		dependencies = append(dependencies, &statement.ResourceDescriptor{Uri: commit + "#" + sum.Name, Digest: map[string]string{"sha256": sum.SHA256}})
	}
	predicate := &provenance.Provenance{
		BuildDefinition: &provenance.BuildDefinition{BuildType: buildType, ExternalParameters: external, ResolvedDependencies: dependencies},
		RunDetails:      &provenance.RunDetails{Builder: &provenance.Builder{Id: builder}},
	}
	if err := predicate.Validate(); err != nil {
		return nil, fmt.Errorf("provenance: %w", err)
	}
	s := &statement.Statement{Type: statement.StatementTypeUri, PredicateType: predicateType, Predicate: &structpb.Struct{}}
	for _, subject := range subjects {
		s.Subject = append(s.Subject, &statement.ResourceDescriptor{Name: subject.Name, Digest: map[string]string{"sha256": subject.SHA256}})
	}
	text, err := stable(predicate)
	if err != nil {
		return nil, err
	}
	if err := protojson.Unmarshal(text, s.Predicate); err != nil {
		return nil, fmt.Errorf("provenance: %w", err)
	}
	if err := s.Validate(); err != nil {
		return nil, fmt.Errorf("statement: %w", err)
	}
	return stable(s)
}

// Subjects reads a statement and returns what it is about.
func Subjects(text []byte) ([]Subject, error) {
	s := &statement.Statement{}
	if err := protojson.Unmarshal(text, s); err != nil {
		return nil, fmt.Errorf("reading the statement: %w", err)
	}
	if err := s.Validate(); err != nil {
		return nil, fmt.Errorf("statement: %w", err)
	}
	if s.GetPredicateType() != predicateType {
		return nil, fmt.Errorf("statement: its predicate is %s, want %s", s.GetPredicateType(), predicateType)
	}
	var subjects []Subject
	for _, r := range s.GetSubject() {
		subjects = append(subjects, Subject{Name: r.GetName(), SHA256: r.GetDigest()["sha256"]})
	}
	return subjects, nil
}

// stable returns JSON that is the same in every program. What protojson writes has
// spaces that differ from build to build, so that nobody relies on it.
func stable(m proto.Message) ([]byte, error) {
	text, err := protojson.Marshal(m)
	if err != nil {
		return nil, err
	}
	var value any
	numbers := json.NewDecoder(bytes.NewReader(text))
	numbers.UseNumber()
	if err := numbers.Decode(&value); err != nil {
		return nil, err
	}
	out := &bytes.Buffer{}
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	err = encoder.Encode(value)
	return out.Bytes(), err
}

func list(of []string) []any {
	var all []any
	for _, s := range of {
		all = append(all, s)
	}
	return all
}
