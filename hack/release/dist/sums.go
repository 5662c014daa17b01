package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vicinity-sched/vicinity/hack/release/attest"
)

// The files that vouch for the others.
const (
	sumsFile      = "SHA256SUMS"
	statementFile = "provenance.intoto.json"
	envelopeFile  = "provenance.intoto.jsonl"
)

// addSums makes the checksums and the provenance, of all files so far, and with a key the
// signatures of both.
func (r *release) addSums(ctx context.Context) error {
	var subjects []attest.Subject
	sums := &bytes.Buffer{}
	for _, name := range slices.Sorted(slices.Values(r.files)) {
		content, err := os.ReadFile(filepath.Join(r.out, name))
		if err != nil {
			return err
		}
		subjects = append(subjects, attest.Subject{Name: name, SHA256: sum(content)})
		fmt.Fprintf(sums, "%s  %s\n", sum(content), name)
	}
	subjects = append(subjects, attest.Subject{Name: r.imageName, SHA256: strings.TrimPrefix(r.imageDigest, "sha256:")})
	build := attest.Build{
		Version: r.version, Commit: r.commit, Go: r.goVersion, Platforms: r.platforms, Programs: r.programs, Epoch: r.created.Unix(),
	}
	for _, path := range []string{"go.sum", "hack/release/go.sum"} {
		content, err := os.ReadFile(filepath.Join(r.root, path))
		if err != nil {
			return err
		}
		build.GoSums = append(build.GoSums, attest.Subject{Name: path, SHA256: sum(content)})
	}
	statement, err := attest.Statement(build, subjects)
	if err != nil {
		return err
	}
	if err := r.write(sumsFile, sums.Bytes()); err != nil {
		return err
	}
	if strings.HasSuffix(r.version, "-dirty") || r.isOther(ctx) {
		return nil // the commit is not what it was made from
	}
	if r.key == nil {
		return r.write(statementFile, statement)
	}
	envelope, err := attest.Envelope(ctx, r.key, statement)
	if err != nil {
		return err
	}
	signature, err := r.key.Sign(ctx, sums.Bytes())
	if err != nil {
		return err
	}
	return errors.Join(r.write(envelopeFile, envelope), r.write(sumsFile+".sig", signature))
}
