// Command verify checks the files of a release against their checksums, and these and the
// provenance against the public key of whoever made it. It reaches no network.
package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/vicinity-sched/vicinity/hack/release/attest"
)

func main() {
	if err := run(context.Background(), os.Args[1:], os.Stdout); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "verify:", err)
		}
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("verify", flag.ContinueOnError)
	dir := flags.String("dir", "../../bin/dist", "directory with the files of the release")
	key := flags.String("key", "", "file with the public key in PEM")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *key == "" {
		return errors.New("-key is required: only a signature says who made the files")
	}
	text, err := os.ReadFile(*key)
	if err != nil {
		return err
	}
	public, err := attest.ParsePublic(text)
	if err != nil {
		return fmt.Errorf("%s: %w", *key, err)
	}
	sums, err := os.ReadFile(filepath.Join(*dir, "SHA256SUMS"))
	if err != nil {
		return err
	}
	signature, err := os.ReadFile(filepath.Join(*dir, "SHA256SUMS.sig"))
	if err != nil {
		return err
	}
	if err := attest.Check(public, sums, signature); err != nil {
		return fmt.Errorf("SHA256SUMS: %w", err)
	}
	line, err := os.ReadFile(filepath.Join(*dir, "provenance.intoto.jsonl"))
	if err != nil {
		return err
	}
	statement, err := attest.Open(ctx, public, line)
	if err != nil {
		return fmt.Errorf("provenance: %w", err)
	}
	subjects, err := attest.Subjects(statement)
	if err != nil {
		return err
	}
	files, err := checkFiles(*dir, string(sums), subjects)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "verify: %d files are those that the key has signed\n", files)
	for _, s := range subjects {
		if strings.Contains(s.Name, ":") {
			fmt.Fprintf(out, "verify: image %s has the digest sha256:%s\n", s.Name, s.SHA256)
		}
	}
	return nil
}

// checkFiles compares every file that SHA256SUMS names with it, and with the provenance.
func checkFiles(dir, sums string, subjects []attest.Subject) (int, error) {
	in := map[string]string{}
	for _, s := range subjects {
		in[s.Name] = s.SHA256
	}
	files := 0
	for line := range strings.Lines(sums) {
		want, name, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "  ")
		if !ok || name != filepath.Base(name) {
			return 0, fmt.Errorf("SHA256SUMS: a line %q", line)
		}
		content, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return 0, err
		}
		digest := sha256.Sum256(content)
		if got := hex.EncodeToString(digest[:]); got != want {
			return 0, fmt.Errorf("%s: its SHA-256 is %s, and SHA256SUMS has %s", name, got, want)
		}
		if in[name] != want {
			return 0, fmt.Errorf("%s: the provenance is not of this file", name)
		}
		files++
	}
	if files == 0 {
		return 0, errors.New("SHA256SUMS names no file")
	}
	return files, nil
}
