package main

import (
	"bytes"
	"fmt"
	"strings"
	"unicode"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/text"
)

// page is what the checks need of one Markdown file.
type page struct {
	anchors map[string]bool // the fragments that links may have
	links   []link          // in the order of the text
}

// link is a link or an image.
type link struct {
	line        int
	destination string
	text        string // what a reader sees; of an image its alternative text
	image       bool
}

// parse reads a page of GitHub's Markdown. What stands in code is no link.
func parse(source []byte) page {
	p := page{anchors: map[string]bool{}}
	markdown := goldmark.New(goldmark.WithExtensions(extension.Table, extension.Linkify))
	root := markdown.Parser().Parse(text.NewReader(source))
	line := 1
	// The walk never fails: the function returns no error.
	_ = ast.Walk(root, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		if n.Type() == ast.TypeBlock && n.Lines().Len() > 0 {
			line = 1 + bytes.Count(source[:n.Lines().At(0).Start], []byte("\n"))
		}
		switch n := n.(type) {
		case *ast.Heading:
			p.addAnchor(slug(plain(n, source)))
		case *ast.Link:
			p.links = append(p.links, link{line: line, destination: string(n.Destination), text: plain(n, source)})
		case *ast.Image:
			p.links = append(p.links, link{line: line, destination: string(n.Destination), text: plain(n, source), image: true})
		case *ast.AutoLink:
			p.links = append(p.links, link{line: line, destination: string(n.URL(source)), text: string(n.Label(source))})
		case *ast.Text:
			if n.SoftLineBreak() {
				line++
			}
		}
		return ast.WalkContinue, nil
	})
	return p
}

// addAnchor adds a heading's anchor; a second heading with the same text has a number.
func (p *page) addAnchor(s string) {
	anchor := s
	for i := 1; p.anchors[anchor]; i++ {
		anchor = fmt.Sprintf("%s-%d", s, i)
	}
	p.anchors[anchor] = true
}

// slug is GitHub's anchor of a heading: lower case, without punctuation, with
// hyphens for spaces.
func slug(heading string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r == '-', r == '_', unicode.IsLetter(r), unicode.IsMark(r), unicode.IsDigit(r):
			return unicode.ToLower(r)
		}
		return -1
	}, heading)
}

// plain is the text of a node without its markup.
func plain(n ast.Node, source []byte) string {
	var b strings.Builder
	_ = ast.Walk(n, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if entering {
			switch n := n.(type) {
			case *ast.Text:
				b.Write(n.Segment.Value(source))
				if n.SoftLineBreak() {
					b.WriteByte(' ')
				}
			case *ast.String:
				b.Write(n.Value)
			}
		}
		return ast.WalkContinue, nil
	})
	return b.String()
}
