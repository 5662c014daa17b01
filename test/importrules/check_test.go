package importrules

import (
	"fmt"
	"slices"
	"strings"
)

// A violation is one import against one rule.
type violation struct {
	rule rule
	// chain leads from the package that the rule binds to the forbidden one.
	chain []string
	test  bool // a test file imports it
}

func (v violation) String() string {
	importer, imported := v.chain[0], v.chain[len(v.chain)-1]
	verb := "imports"
	switch {
	case len(v.chain) > 2:
		verb = "links"
	case v.test:
		verb = "imports in a test"
	}
	s := fmt.Sprintf("%s %s %s, against %s: %s", importer, verb, imported, v.rule.name, v.rule.because)
	if len(v.chain) > 2 {
		s += "\n\t" + strings.Join(v.chain, "\n\t-> ")
	}
	return s
}

// under reports whether path is one of the prefixes or below one.
func under(path string, prefixes []string) bool {
	return slices.ContainsFunc(prefixes, func(prefix string) bool {
		return path == prefix || strings.HasPrefix(path, prefix+"/")
	})
}

func (r rule) binds(path string) bool { return under(path, r.of) && !under(path, r.except) }

func (r rule) forbids(path string, standard bool) bool {
	if under(path, r.permit) {
		return false
	}
	return under(path, r.forbid) || r.only != nil && !standard && !under(path, r.only)
}

// check returns every import of the module's own packages that breaks a rule,
// in the order of the rules, then of the packages.
func check(g graph, rules []rule) []violation {
	var found []violation
	for _, r := range rules {
		for _, p := range g.own() {
			if !r.binds(p.path) {
				continue
			}
			found = append(found, checkImports(g, r, p)...)
			if !r.tests {
				continue
			}
			for _, path := range p.testImports {
				// An external test imports the package that it tests.
				if path != p.path && r.forbids(path, standard(g, path)) {
					found = append(found, violation{r, []string{p.path, path}, true})
				}
			}
		}
	}
	return found
}

// checkImports looks breadth first from p, so that the chain of a violation is
// a shortest one. It does not look beyond a forbidden package, nor beyond
// another that the rule binds: that one answers for itself.
func checkImports(g graph, r rule, p *pkg) []violation {
	var found []violation
	seen := map[string]bool{p.path: true}
	for queue := [][]string{{p.path}}; len(queue) > 0; queue = queue[1:] {
		chain := queue[0]
		at := g[chain[len(chain)-1]]
		if at == nil {
			continue // it is imported only where this machine does not build
		}
		for _, path := range at.imports {
			if seen[path] {
				continue
			}
			seen[path] = true
			next := append(slices.Clone(chain), path)
			switch {
			case r.forbids(path, standard(g, path)):
				found = append(found, violation{rule: r, chain: next})
			case r.linked && !r.binds(path):
				queue = append(queue, next)
			}
		}
	}
	return found
}

// standard reports whether path is of the standard library. What go list does
// not know, because nothing imports it in this machine's build, is judged by
// its name: only other modules have a dot in the first element.
func standard(g graph, path string) bool {
	if p := g[path]; p != nil {
		return p.standard
	}
	first, _, _ := strings.Cut(path, "/")
	return !strings.Contains(first, ".")
}

// dead returns the paths in rules and in other under which there is no package
// and none is planned: after a renaming, a rule that names the old path would
// hold for ever.
func dead(g graph, rules []rule, planned []string, other ...string) []string {
	named := slices.Clone(other)
	for _, r := range rules {
		named = slices.Concat(named, r.of, r.except, r.forbid, r.permit, r.only)
	}
	return slices.DeleteFunc(union(named, nil), func(prefix string) bool {
		if under(prefix, planned) {
			return true
		}
		for path := range g {
			if under(path, []string{prefix}) {
				return true
			}
		}
		return false
	})
}
