// Command chart packs a chart, the same each time, for those who want the chart only; make
// release packs it with everything else.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/vicinity-sched/vicinity/hack/release/pack"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "chart:", err)
		}
		os.Exit(1)
	}
}

func run(args []string) error {
	flags := flag.NewFlagSet("chart", flag.ContinueOnError)
	dir := flags.String("C", "../../charts/vicinity", "directory of the chart")
	version := flags.String("version", "", "version of the chart, without a v; that of the image is the same with a v")
	created := flags.Int64("created", 0, "time of the source in Unix seconds")
	output := flags.String("o", "", "archive to write")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *version == "" || *output == "" {
		flags.Usage()
		return errors.New("-version and -o are required")
	}
	archive, err := pack.Chart(*dir, *version, time.Unix(*created, 0).UTC())
	if err != nil {
		return err
	}
	return os.WriteFile(*output, archive, 0o644)
}
