// Command image packs a static binary into an OCI image without a base, and
// writes it as a tar archive that "docker load", "podman load" and "skopeo copy
// oci-archive:FILE" read. It needs no container engine. The same binaries and
// flags give the same archive, byte for byte.
//
// Its module is not the main one, so that its libraries are not those of the
// scheduler.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

const usage = `usage: image -name NAME:TAG -licences FILE -o FILE [flags] OS/ARCH=BINARY...

Packs each binary as the image of its platform. Flags:
`

func main() {
	if err := run(os.Args[1:]); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "image:", err)
		}
		os.Exit(1)
	}
}

func run(args []string) error {
	flags := flag.NewFlagSet("image", flag.ContinueOnError)
	flags.Usage = func() {
		fmt.Fprint(flags.Output(), usage)
		flags.PrintDefaults()
	}
	name := flags.String("name", "", "name and tag that the image is loaded under")
	output := flags.String("o", "", "archive to write")
	licences := flags.String("licences", "", "file with the licences of what the binaries link")
	version := flags.String("version", "unknown", "value of the label org.opencontainers.image.version")
	revision := flags.String("revision", "", "value of the label org.opencontainers.image.revision; no label when empty")
	created := flags.Int64("created", 0, "time of the source in Unix seconds, as the image's creation time")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *name == "" || *output == "" || *licences == "" || flags.NArg() == 0 {
		flags.Usage()
		return errors.New("-name, -o, -licences and at least one binary are required")
	}
	texts, err := os.ReadFile(*licences)
	if err != nil {
		return err
	}
	at := time.Unix(*created, 0).UTC()
	labels := map[string]string{
		"org.opencontainers.image.created":  at.Format(time.RFC3339),
		"org.opencontainers.image.licenses": "Apache-2.0",
		"org.opencontainers.image.source":   "https://github.com/vicinity-sched/vicinity",
		"org.opencontainers.image.title":    "vicinity-scheduler",
		"org.opencontainers.image.version":  *version,
	}
	if *revision != "" {
		labels["org.opencontainers.image.revision"] = *revision
	}
	var images []v1.Image
	for _, arg := range flags.Args() {
		platform, binary, ok := strings.Cut(arg, "=")
		if !ok {
			return fmt.Errorf("%q: want OS/ARCH=BINARY", arg)
		}
		image, err := newImage(platform, binary, texts, labels, at)
		if err != nil {
			return fmt.Errorf("%s: %w", arg, err)
		}
		images = append(images, image)
	}
	digest, err := writeFile(*output, *name, images)
	if err != nil {
		return fmt.Errorf("writing %s: %w", *output, err)
	}
	fmt.Printf("%s: %s %s\n", *output, *name, digest)
	return nil
}

// writeFile writes the archive beside its place and renames it, so that a file
// of that name is whole.
func writeFile(path, name string, images []v1.Image) (v1.Hash, error) {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return v1.Hash{}, err
	}
	defer os.Remove(f.Name())
	digest, err := writeArchive(f, name, images)
	if err := errors.Join(err, f.Chmod(0o644), f.Close()); err != nil {
		return v1.Hash{}, err
	}
	return digest, os.Rename(f.Name(), path)
}
