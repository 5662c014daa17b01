// Command versions prints where the released version is written, and fails when the
// places disagree. With -set it writes a new one into all of them.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/vicinity-sched/vicinity/hack/release/places"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "versions:", err)
		}
		os.Exit(1)
	}
}

func run(args []string, out io.Writer) error {
	flags := flag.NewFlagSet("versions", flag.ContinueOnError)
	root := flags.String("C", "../..", "directory of the repository")
	set := flags.String("set", "", "version to write, such as v0.2.0")
	date := flags.String("date", "", "with -set, the date of the release, such as 2027-01-31")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *set != "" {
		if *date == "" {
			return errors.New("-set needs -date")
		}
		if err := places.Set(*root, strings.TrimPrefix(*set, "v"), *date); err != nil {
			return err
		}
	}
	found, err := places.Find(*root)
	if err != nil {
		return err
	}
	for _, p := range found {
		fmt.Fprintln(out, p)
	}
	return places.Check(found)
}
