package main

import (
	"bytes"
	"io/fs"
	"path"
	"regexp"
	"slices"
)

// mention matches a file under docs/ that a text names, perhaps with an anchor:
// by its path from the root of the repository, from a directory below it, or on
// GitHub. A path of another project ends with "/docs/..." and does not match.
const mention = `(?:^|[^\w./:-]|github\.com/vicinity-sched/vicinity/(?:blob|tree)/[\w.-]+/)(?:\./|(?:\.\./)+)?` +
	`(docs/(?:[\w-]+/)*[\w-]+(?:\.[\w-]+)*\.(?:md|json|yaml|png|svg|csv))(?:#([\w-]+))?`

// largest is the size of the largest file that is searched for mentions; what is
// larger is data.
const largest = 1 << 20

// mentions checks the files under docs/ that texts name: help texts and comments
// in Go, manifests and charts, scripts, and pages, in code or not.
func (c *checker) mentions() error {
	pattern := regexp.MustCompile(mention)
	for _, name := range c.files {
		if !named(name) {
			continue
		}
		source, err := fs.ReadFile(c.root, name)
		if err != nil {
			return err
		}
		if len(source) > largest {
			continue
		}
		for i, line := range bytes.Split(source, []byte("\n")) {
			for _, m := range pattern.FindAllSubmatch(line, -1) {
				if what := c.target(string(m[1]), string(m[2])); what != "" {
					c.problems = append(c.problems, problem{name, i + 1, what})
				}
			}
		}
	}
	return nil
}

// named says whether a file is of a kind in which pages are named.
func named(file string) bool {
	kinds := []string{".go", ".md", ".yaml", ".yml", ".json", ".tpl", ".tmpl", ".txt", ".sh", ".html", ".js"}
	return slices.Contains(kinds, path.Ext(file)) || path.Ext(file) == "" || path.Base(file) == "Makefile"
}
