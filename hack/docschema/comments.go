package main

import (
	"errors"
	"fmt"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"path"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
)

const module = "github.com/vicinity-sched/vicinity"

// comments reads what the source says of types.
type comments struct {
	root     string
	packages map[string]map[string]*doc.Type // by import path and name
}

// of returns the declaration of a named type of this module.
func (c *comments) of(t reflect.Type) (*doc.Type, error) {
	types, err := c.load(t.PkgPath())
	if err != nil {
		return nil, err
	}
	found := types[baseName(t)]
	if found == nil {
		return nil, fmt.Errorf("%s has no type %s", t.PkgPath(), baseName(t))
	}
	return found, nil
}

func (c *comments) load(importPath string) (map[string]*doc.Type, error) {
	if types, ok := c.packages[importPath]; ok {
		return types, nil
	}
	dir, ok := strings.CutPrefix(importPath, module+"/")
	if !ok {
		return nil, fmt.Errorf("%s is not of this module", importPath)
	}
	names, err := filepath.Glob(filepath.Join(c.root, filepath.FromSlash(dir), "*.go"))
	if err != nil {
		return nil, err
	}
	fset, files := token.NewFileSet(), []*ast.File{}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(fset, name, nil, parser.ParseComments)
		if err != nil {
			return nil, err // names the file
		}
		files = append(files, file)
	}
	found, err := doc.NewFromFiles(fset, files, importPath, doc.AllDecls)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", importPath, err)
	}
	types := map[string]*doc.Type{}
	for _, t := range found.Types {
		types[t.Name] = t
	}
	if c.packages == nil {
		c.packages = map[string]map[string]*doc.Type{}
	}
	c.packages[importPath] = types
	return types, nil
}

// fieldComments returns the comment of each field of a struct, by its name in Go.
func fieldComments(t *doc.Type) map[string]string {
	all := map[string]string{}
	for _, spec := range t.Decl.Specs {
		declared, ok := spec.(*ast.TypeSpec)
		if !ok || declared.Name.Name != t.Name {
			continue
		}
		fields, ok := declared.Type.(*ast.StructType)
		if !ok {
			continue
		}
		for _, field := range fields.Fields.List {
			for _, name := range field.Names {
				all[name.Name] = field.Doc.Text()
			}
		}
	}
	return all
}

// values returns the string constants of a type.
func values(t *doc.Type) ([]string, error) {
	var all []string
	for _, group := range t.Consts {
		for _, spec := range group.Decl.Specs {
			declared, ok := spec.(*ast.ValueSpec)
			if !ok {
				continue
			}
			for _, value := range declared.Values {
				literal, ok := value.(*ast.BasicLit)
				if !ok {
					return nil, fmt.Errorf("a constant of %s is not written out", t.Name)
				}
				text, err := strconv.Unquote(literal.Value)
				if err != nil {
					return nil, fmt.Errorf("the constants of %s: %w", t.Name, err)
				}
				all = append(all, text)
			}
		}
	}
	return all, nil
}

// meaning is a comment without the name that it begins with.
func meaning(name, comment string) (string, error) {
	text := strings.Join(strings.Fields(comment), " ")
	for _, verb := range []string{" is ", " are "} {
		if definition, ok := strings.CutPrefix(text, name+verb); ok && strings.HasSuffix(text, ".") {
			return strings.ToUpper(definition[:1]) + definition[1:], nil
		}
	}
	return "", fmt.Errorf("the comment must be sentences that begin with %q or %q (got %q)", name+" is", name+" are", text)
}

// cutCondition cuts the last sentence off a meaning when it begins with the word, and
// returns what follows the word.
func cutCondition(text, word string) (before, condition string) {
	before, condition, found := strings.Cut(text, ". "+word+" ")
	if !found {
		return text, ""
	}
	return before + ".", strings.TrimSuffix(condition, ".")
}

// baseName is the name of a type without its type arguments.
func baseName(t reflect.Type) string {
	name, _, _ := strings.Cut(t.Name(), "[")
	return name
}

// located puts the place before errors.
func located(t reflect.Type, field string, errs ...error) error {
	err := errors.Join(errs...)
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s.%s.%s: %w", path.Base(t.PkgPath()), baseName(t), field, err)
}
