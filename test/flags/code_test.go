package flags

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// declaration is a flag that a program adds.
type declaration struct {
	name string
	// command is the word of the command that has it; "" where several have.
	command string
	// alone says that it needs no value.
	alone bool
}

// usedIn reports whether the flag is in a list of arguments, with a value.
func (d declaration) usedIn(list []string) bool {
	for i, arg := range list {
		if strings.HasPrefix(arg, "--"+d.name+"=") || arg == "--"+d.name && (d.alone || i+1 < len(list) && !strings.HasPrefix(list[i+1], "-")) {
			return true
		}
	}
	return false
}

// files calls f with the name and the text of each file that matches a pattern.
func files(t *testing.T, pattern string, f func(name, text string) error) {
	t.Helper()
	names, err := filepath.Glob(pattern)
	if err != nil || len(names) == 0 {
		t.Fatalf("%s: %d files, %v", pattern, len(names), err)
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err == nil {
			err = f(name, string(text))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// declared returns the flags that the files of a program declare, but for its tests.
func declared(t *testing.T, pattern string) (all []declaration) {
	t.Helper()
	files(t, pattern, func(name, text string) error {
		if strings.HasSuffix(name, "_test.go") {
			return nil
		}
		flags, err := declaredIn(name, text)
		all = append(all, flags...)
		return err
	})
	return all
}

// declaredIn returns the flags that a file declares: by calls such as
// f.StringVar(&into, "name", ...), in the function that makes the command.
func declaredIn(name, text string) (all []declaration, err error) {
	file, err := parser.ParseFile(token.NewFileSet(), name, text, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	for _, d := range file.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok {
			continue
		}
		command, from := "", len(all)
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.KeyValueExpr:
				if key, ok := n.Key.(*ast.Ident); ok && key.Name == "Use" {
					command, _, _ = strings.Cut(literal(n.Value), " ")
				}
			case *ast.CallExpr:
				if method, ok := n.Fun.(*ast.SelectorExpr); ok && len(n.Args) > 2 && strings.HasSuffix(strings.TrimSuffix(method.Sel.Name, "P"), "Var") {
					all = append(all, declaration{name: literal(n.Args[1]), alone: strings.HasPrefix(method.Sel.Name, "Bool")})
				}
			}
			return true
		})
		for i := range all[from:] {
			if all[from+i].command = command; strings.HasPrefix(command, "vicinity-") {
				all[from+i].command = "" // the program itself
			}
		}
	}
	return all, nil
}

// literal is the text of a string that an expression begins with, "" where there is none.
func literal(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.BasicLit:
		if text, err := strconv.Unquote(e.Value); err == nil && e.Kind == token.STRING {
			return text
		}
	case *ast.BinaryExpr:
		return literal(e.X)
	}
	return ""
}

// function is what there is to know of a function of tests.
type function struct {
	words []string   // string literals
	calls []string   // names of functions and methods
	lists [][]string // of arguments: calls and composite literals; "" is what is no literal
}

// functions are those of a package, by name.
type functions map[string]*function

func functionsOf(t *testing.T, pattern string) functions {
	t.Helper()
	all := functions{}
	files(t, pattern, all.add)
	return all
}

// add reads the functions of a file.
func (all functions) add(name, text string) error {
	file, err := parser.ParseFile(token.NewFileSet(), name, text, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	for _, d := range file.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok {
			continue
		}
		if all[f.Name.Name] == nil {
			all[f.Name.Name] = &function{}
		}
		all[f.Name.Name].read(f)
	}
	return nil
}

func (f *function) read(decl *ast.FuncDecl) {
	ast.Inspect(decl, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.BasicLit:
			f.words = append(f.words, literal(n))
		case *ast.CallExpr:
			name := called(n.Fun)
			f.calls = append(f.calls, name)
			if !strings.HasSuffix(name, "f") && name != "Error" && name != "Fatal" && name != "Contains" { // no messages
				f.lists = append(f.lists, literals(n.Args))
			}
		case *ast.CompositeLit:
			f.lists = append(f.lists, literals(n.Elts))
		}
		return true
	})
}

// called is the name of a function or method.
func called(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	}
	return ""
}

func literals(list []ast.Expr) []string {
	all := make([]string, len(list))
	for i, e := range list {
		all[i] = literal(e)
	}
	return all
}

// says reports whether a function, or one that it calls, has a word.
func (all functions) says(name, word string, seen map[string]bool) bool {
	f := all[name]
	if f == nil || seen[name] {
		return false
	}
	seen[name] = true
	return slices.Contains(f.words, word) || slices.ContainsFunc(f.calls, func(other string) bool { return all.says(other, word, seen) })
}

// named returns the lists of arguments in the functions that name a program and a command, "" is any.
func (all functions) named(program, command string) (lists [][]string) {
	for name, f := range all {
		if all.says(name, program, map[string]bool{}) && (command == "" || all.says(name, command, map[string]bool{})) {
			lists = append(lists, f.lists...)
		}
	}
	return lists
}
