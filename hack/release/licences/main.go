// Command licences finds the licence of every module that programs link, and
// fails when it does not know one or when one is not allowed. It looks into the
// module cache only.
//
// What it is given is the packages of the programs; the module is that of the
// directory it is run in.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/vicinity-sched/vicinity/hack/release/linked"
)

// allowed returns the licences, by their SPDX identifiers, that a module may
// have. Each may be linked into a program under Apache-2.0 whose source is open.
func allowed() []string {
	return []string{
		"Apache-2.0",
		"BSD-2-Clause",
		"BSD-3-Clause",
		"ISC",
		"MIT",
	}
}

// exceptions returns modules that may have one more licence each. All are linked
// unchanged and by vicinity-sandbox alone, which is not part of any image; the
// MPL asks for the source of its files only, which is that of the module, and that
// whoever gets the program is told where that is: package linked writes it.
func exceptions() map[string]string {
	return map[string]string{
		"github.com/cyphar/filepath-securejoin": "MPL-2.0",
		"github.com/hashicorp/go-version":       "MPL-2.0",
	}
}

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "licences:", err)
		}
		os.Exit(1)
	}
}

func run(args []string, out io.Writer) error {
	flags := flag.NewFlagSet("licences", flag.ContinueOnError)
	dir := flags.String("C", ".", "directory of the module")
	texts := flags.String("o", "", "file to write every licence and notice to, which those who hand on the programs must hand on too")
	verbose := flags.Bool("v", false, "print the licences of each module")
	if err := flags.Parse(args); err != nil {
		return err
	}
	// Elsewhere it is the same modules, give or take what speaks to the operating system.
	modules, err := linked.Modules(*dir, "linux/amd64", flags.Args()...)
	if err != nil {
		return err
	}
	if *texts != "" {
		if err := os.WriteFile(*texts, linked.Texts(modules), 0o644); err != nil {
			return err
		}
	}
	if *verbose {
		printTable(out, modules)
	}
	return report(out, modules, allowed(), exceptions())
}

// printTable prints a line for each module.
func printTable(out io.Writer, modules []*linked.Module) {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, m := range modules {
		fmt.Fprintf(table, "%s\t%s\t%s\n", m.Path, m.Version, strings.Join(m.Licences(), ", "))
	}
	table.Flush()
}

// report prints how many modules have which licence and returns what is wrong.
func report(out io.Writer, modules []*linked.Module, allowed []string, exceptions map[string]string) error {
	var errs []error
	counts := map[string]int{}
	for _, m := range modules {
		for _, path := range slices.Sorted(maps.Keys(m.Files)) {
			f := m.Files[path]
			if f.Unknown {
				errs = append(errs, fmt.Errorf("%s: %s is not a known licence; use another module", m, path))
			}
			for _, l := range f.Licences {
				if !slices.Contains(allowed, l) && exceptions[m.Path] != l {
					errs = append(errs, fmt.Errorf("%s: %s is %s, which is not allowed; use another module", m, path, l))
				}
			}
		}
		licences := m.Licences()
		if len(licences) == 0 {
			errs = append(errs, fmt.Errorf("%s: has no licence; use another module", m))
		}
		for _, l := range licences {
			counts[l]++
		}
	}
	var sums []string
	for _, l := range slices.Sorted(maps.Keys(counts)) {
		sums = append(sums, fmt.Sprintf("%s %d", l, counts[l]))
	}
	fmt.Fprintf(out, "%d modules: %s\n", len(modules), strings.Join(sums, ", "))
	return errors.Join(errs...)
}
