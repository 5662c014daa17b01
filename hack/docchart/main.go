// Command docchart completes charts/vicinity: it copies the profiles and rules of
// manifests into the chart, which can only read its own files, and writes the reference
// of the chart's values, docs/chart-values.md, from the comments in values.yaml. It is
// run in the module's directory, whenever one of these has changed:
//
//	go run ./hack/docchart
package main

import (
	"fmt"
	"os"
	"path/filepath"
)

const (
	valuesFile = "charts/vicinity/values.yaml"
	page       = "docs/chart-values.md"
)

func main() {
	if err := run("."); err != nil {
		fmt.Fprintln(os.Stderr, "docchart:", err)
		os.Exit(1)
	}
}

// run writes the files below the module's directory.
func run(root string) error {
	written, err := files(root)
	if err != nil {
		return err
	}
	for name, text := range written {
		if err := os.WriteFile(filepath.Join(root, name), text, 0o644); err != nil {
			return err // names the path
		}
	}
	return nil
}

// copies says which file of the chart is a copy of which, by path below the module's
// directory.
func copies() map[string]string {
	const chart = "charts/vicinity/files/"
	return map[string]string{
		chart + "profiles/availability.yaml": "manifests/profiles/availability.yaml",
		chart + "profiles/cost.yaml":         "manifests/profiles/cost.yaml",
		chart + "profiles/latency.yaml":      "manifests/profiles/latency.yaml",
		chart + "rules/alerts.yaml":          "manifests/alerts/vicinity.yaml",
		chart + "rules/recording.yaml":       "manifests/recording-rules/istio-sidecar.yaml",
	}
}

// files returns the files as they should be, by path below the module's directory.
func files(root string) (map[string][]byte, error) {
	all := map[string][]byte{}
	for to, from := range copies() {
		text, err := os.ReadFile(filepath.Join(root, from))
		if err != nil {
			return nil, err // names the path
		}
		all[to] = text
	}
	values, err := os.ReadFile(filepath.Join(root, valuesFile))
	if err != nil {
		return nil, err
	}
	rows, err := describe(values)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", valuesFile, err)
	}
	all[page] = render(rows)
	return all, nil
}
