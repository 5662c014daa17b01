// Command doclinks checks the links of the documentation: what relative links and
// anchors lead to, which pages the code and the manifests name, and whether
// every page can be found from docs/README.md. It reads files only; of links to
// other sites it checks the form.
//
// It is a module of its own because it parses Markdown with goldmark, which no
// program of Vicinity needs. A parser of our own would have to tell indented
// code from list items, which is where such checkers go wrong.
//
//	go -C hack/doclinks run . -C "$PWD"
package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	dir := flag.String("C", ".", "the root of the repository")
	flag.Parse()
	problems, pages, err := check(os.DirFS(*dir))
	if err != nil {
		fmt.Fprintln(os.Stderr, "doclinks:", err)
		os.Exit(1)
	}
	for _, p := range problems {
		fmt.Println(p)
	}
	if len(problems) > 0 {
		fmt.Fprintf(os.Stderr, "doclinks: %d problems in %d pages\n", len(problems), pages)
		os.Exit(1)
	}
}
