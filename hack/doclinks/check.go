package main

import (
	"cmp"
	"fmt"
	"io/fs"
	"net/url"
	"path"
	"slices"
	"strings"
)

// index is the page from which every other page of the documentation is to be found.
const index = "docs/README.md"

// problem is one thing to mend.
type problem struct {
	file string
	line int // 0 for the whole file
	what string
}

func (p problem) String() string {
	if p.line == 0 {
		return p.file + ": " + p.what
	}
	return fmt.Sprintf("%s:%d: %s", p.file, p.line, p.what)
}

// checker looks at one tree of files.
type checker struct {
	root     fs.FS
	files    []string        // all files, in order
	pages    map[string]page // the Markdown among them
	problems []problem
}

// check returns what is wrong with the links in a tree, in order of files and
// lines, and how many pages it has looked at.
func check(root fs.FS) ([]problem, int, error) {
	c := &checker{root: root, pages: map[string]page{}}
	if err := c.read(); err != nil {
		return nil, 0, err
	}
	for name, p := range c.pages {
		for _, l := range p.links {
			if what := c.link(name, l); what != "" {
				c.problems = append(c.problems, problem{name, l.line, what})
			}
		}
	}
	c.orphans()
	if err := c.mentions(); err != nil {
		return nil, 0, err
	}
	slices.SortFunc(c.problems, func(a, b problem) int {
		return cmp.Or(cmp.Compare(a.file, b.file), cmp.Compare(a.line, b.line), cmp.Compare(a.what, b.what))
	})
	// A link that names its target from the root is a mention too.
	return slices.Compact(c.problems), len(c.pages), nil
}

// read lists the files and parses the pages among them.
func (c *checker) read() error {
	return fs.WalkDir(c.root, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && skipped(name):
			return fs.SkipDir
		case !entry.Type().IsRegular():
			return nil
		}
		c.files = append(c.files, name)
		if path.Ext(name) != ".md" {
			return nil
		}
		source, err := fs.ReadFile(c.root, name)
		if err != nil {
			return err
		}
		c.pages[name] = parse(source)
		return nil
	})
}

// skipped says whether nothing in a directory is ours to check: what git or make
// put there, what others wrote, and the planted mistakes of this program's tests.
func skipped(dir string) bool {
	return slices.Contains([]string{".git", "bin", "hack/doclinks"}, dir) || path.Base(dir) == "node_modules"
}

// link says what is wrong with a link on a page, or nothing.
func (c *checker) link(from string, l link) string {
	if strings.TrimSpace(l.text) == "" {
		if l.image {
			return fmt.Sprintf("the image %s has no alternative text", l.destination)
		}
		return fmt.Sprintf("the link to %s has no text", l.destination)
	}
	u, err := url.Parse(l.destination)
	if err != nil {
		return fmt.Sprintf("%q is not a URL", l.destination)
	}
	switch {
	case u.Scheme == "mailto":
		return ""
	case u.Scheme == "https" || u.Scheme == "http":
		if !strings.Contains(u.Hostname(), ".") {
			return fmt.Sprintf("%s names no host", l.destination)
		}
		return ""
	case u.Scheme != "" || u.Host != "":
		return fmt.Sprintf("%s is neither https nor a relative path", l.destination)
	case strings.HasPrefix(u.Path, "/"):
		return fmt.Sprintf("%s is absolute; write it relative to this page", l.destination)
	}
	return c.target(resolve(from, u.Path), u.Fragment)
}

// resolve is the path in the tree that a relative link leads to.
func resolve(from, to string) string {
	if to == "" {
		return from
	}
	return path.Join(path.Dir(from), to)
}

// target says what is wrong with a path in the tree and a fragment in it, or nothing.
func (c *checker) target(name, fragment string) string {
	if !fs.ValidPath(name) {
		return fmt.Sprintf("%s is outside the repository", name)
	}
	info, err := fs.Stat(c.root, name)
	switch {
	case err != nil:
		return fmt.Sprintf("%s does not exist", name)
	case fragment == "":
		return ""
	case info.IsDir():
		return fmt.Sprintf("%s is a directory and has no #%s", name, fragment)
	}
	p, ok := c.pages[name]
	switch {
	case !ok:
		return fmt.Sprintf("%s is not a page and has no #%s", name, fragment)
	case !p.anchors[fragment]:
		return fmt.Sprintf("%s has no heading #%s", name, fragment)
	}
	return ""
}

// orphans finds the pages under docs/ to which no links lead from the index, and
// pictures that no page shows.
func (c *checker) orphans() {
	if _, ok := c.pages[index]; !ok {
		c.problems = append(c.problems, problem{file: index, what: "does not exist; it is the index of the documentation"})
		return
	}
	reached, shown := map[string]bool{index: true}, map[string]bool{}
	for queue := []string{index}; len(queue) > 0; queue = queue[1:] {
		for _, l := range c.pages[queue[0]].links {
			u, err := url.Parse(l.destination)
			if err != nil || u.Scheme != "" {
				continue
			}
			if to := resolve(queue[0], u.Path); !reached[to] && path.Ext(to) == ".md" {
				reached[to] = true
				queue = append(queue, to)
			}
		}
	}
	for name, p := range c.pages {
		for _, l := range p.links {
			if l.image {
				shown[resolve(name, l.destination)] = true
			}
		}
	}
	for _, name := range c.files {
		switch {
		case strings.HasPrefix(name, "docs/") && path.Ext(name) == ".md" && !reached[name]:
			c.problems = append(c.problems, problem{file: name, what: "no links lead here from " + index})
		case strings.HasPrefix(name, "docs/images/") && !shown[name]:
			c.problems = append(c.problems, problem{file: name, what: "no page shows this picture"})
		}
	}
}
