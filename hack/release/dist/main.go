// Command dist makes the files of a release from programs that are built already: an
// archive and a bill of materials for each program and platform, the chart, the manifest
// for krew, checksums, and a provenance that is signed if there is a key. The same input
// gives the same files, byte for byte. It reaches no network.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/vicinity-sched/vicinity/hack/release/attest"
)

func main() {
	if err := run(context.Background(), os.Args[1:], os.Stdout); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "dist:", err)
		}
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	r := release{}
	flags := flag.NewFlagSet("dist", flag.ContinueOnError)
	flags.StringVar(&r.root, "C", ".", "directory of the repository")
	flags.StringVar(&r.binaries, "binaries", "", "directory with OS/ARCH/PROGRAM")
	flags.StringVar(&r.out, "o", "", "directory to make; what is in it is removed first")
	flags.StringVar(&r.version, "version", "", "version, which the programs must have been built as")
	flags.StringVar(&r.commit, "revision", "", "commit, likewise: the whole hash")
	platforms := flags.String("platforms", "", "OS/ARCH, separated by commas")
	programs := flags.String("programs", "", "names of programs, separated by commas")
	flags.StringVar(&r.image, "image", "", "archive of the image")
	flags.StringVar(&r.imageName, "image-name", "", "name of the image, with its tag")
	created := flags.Int64("created", 0, "time of the source in Unix seconds")
	key := flags.String("key", "", "file with a private key in PEM; nothing is signed without")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if r.binaries == "" || r.out == "" || r.version == "" || r.commit == "" || *platforms == "" || *programs == "" || r.image == "" || r.imageName == "" {
		flags.Usage()
		return errors.New("-binaries, -o, -version, -revision, -platforms, -programs, -image and -image-name are required; in an unpacked source without git, give VERSION and REVISION to make")
	}
	r.platforms, r.programs, r.created = strings.Split(*platforms, ","), strings.Split(*programs, ","), time.Unix(*created, 0).UTC()
	if *key != "" {
		text, err := os.ReadFile(*key)
		if err != nil {
			return fmt.Errorf("RELEASE_KEY: %w", err)
		}
		if r.key, err = attest.ParseKey(text); err != nil {
			return fmt.Errorf("RELEASE_KEY: %s: %w", *key, err)
		}
	}
	return r.make(ctx, out)
}
