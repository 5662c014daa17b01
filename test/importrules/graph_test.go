package importrules

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// module is the path of this module.
const module = "github.com/vicinity-sched/vicinity"

// A pkg is one package that the module consists of or depends on.
type pkg struct {
	path     string
	standard bool // of Go's standard library
	own      bool // of this module
	// imports are those of the code that is not a test; testImports are known
	// of the module's own packages only.
	imports, testImports []string

	name  string // as its package clause has it; of own packages, as all below
	dir   string
	files []file
}

// A file is a Go file of one of the module's own packages, whether or not its
// build constraints hold on this machine.
type file struct {
	path, name, doc string
}

// A graph has every package by its import path.
type graph map[string]*pkg

// own returns the module's own packages, sorted by path.
func (g graph) own() []*pkg {
	var own []*pkg
	for _, p := range g {
		if p.own {
			own = append(own, p)
		}
	}
	slices.SortFunc(own, func(a, b *pkg) int { return strings.Compare(a.path, b.path) })
	return own
}

var load = sync.OnceValues(loadGraph)

// loadModule returns the graph of the module in the working tree.
func loadModule(t *testing.T) graph {
	t.Helper()
	g, err := load()
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// loadGraph asks go list what depends on what. The imports of the module's own
// packages it reads from their files instead: so files that the build leaves
// out here, for another system or a tag, count as well, and go test, which sees
// what a test reads but not what go list reads, knows when a passed result is
// no longer valid.
func loadGraph() (graph, error) {
	root := filepath.Join("..", "..")
	if _, err := os.ReadFile(filepath.Join(root, "go.sum")); err != nil {
		return nil, err
	}
	goMod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		return nil, err
	}
	if first, _, _ := strings.Cut(string(goMod), "\n"); first != "module "+module {
		return nil, fmt.Errorf("go.mod begins %q, but the rules are about module %s", first, module)
	}

	list := exec.Command("go", "list", "-deps", "-json=ImportPath,Name,Dir,Standard,DepOnly,Imports", "./...")
	list.Dir = root
	var stdout, stderr bytes.Buffer
	list.Stdout, list.Stderr = &stdout, &stderr
	if err := list.Run(); err != nil {
		return nil, fmt.Errorf("%v: %w\n%s", list, err, &stderr)
	}
	g := graph{}
	byDir := map[string]*pkg{}
	for dec := json.NewDecoder(&stdout); ; {
		var l struct {
			ImportPath, Name, Dir string
			Standard, DepOnly     bool
			Imports               []string
		}
		if err := dec.Decode(&l); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, fmt.Errorf("reading go list's answer: %w", err)
		}
		p := &pkg{path: l.ImportPath, standard: l.Standard, imports: l.Imports}
		if !l.DepOnly {
			p.own, p.name, p.dir, p.imports = true, l.Name, l.Dir, nil
			byDir[l.Dir] = p
		}
		g[p.path] = p
	}
	return g, readOwn(root, byDir)
}

// readOwn reads every Go file of the module into the package of its directory.
// A directory with Go files that go list did not name, because all of them are
// for another system or a tag, is an error: it would escape every rule.
func readOwn(root string, byDir map[string]*pkg) error {
	root, err := filepath.Abs(root)
	if err != nil {
		return err
	}
	if root, err = filepath.EvalSymlinks(root); err != nil {
		return err
	}
	fset := token.NewFileSet()
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		// What the go command takes no package from, and nothing else.
		hidden := strings.HasPrefix(d.Name(), ".") || strings.HasPrefix(d.Name(), "_")
		if d.IsDir() {
			if path == root {
				return nil
			}
			_, err := os.Stat(filepath.Join(path, "go.mod"))
			if hidden || d.Name() == "testdata" || err == nil {
				return filepath.SkipDir
			}
			return nil
		}
		if hidden || filepath.Ext(path) != ".go" {
			return nil
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		p := byDir[filepath.Dir(path)]
		if p == nil {
			return fmt.Errorf("%s is in no package that go list ./... knows, so no rule reaches it", rel)
		}
		f, err := parser.ParseFile(fset, path, nil, parser.ImportsOnly|parser.ParseComments)
		if err != nil {
			return err
		}
		p.files = append(p.files, file{path: rel, name: f.Name.Name, doc: f.Doc.Text()})
		imports, err := importsOf(f)
		if err != nil {
			return fmt.Errorf("%s: %w", rel, err)
		}
		if strings.HasSuffix(path, "_test.go") {
			p.testImports = union(p.testImports, imports)
		} else {
			p.imports = union(p.imports, imports)
		}
		return nil
	})
}

func importsOf(f *ast.File) ([]string, error) {
	var paths []string
	for _, spec := range f.Imports {
		path, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return nil, err
		}
		paths = append(paths, path)
	}
	return paths, nil
}

// union returns what is in a or b, sorted.
func union(a, b []string) []string {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}
