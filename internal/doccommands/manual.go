package doccommands

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// tutorial is the page that is read, and run, first.
const tutorial = "docs/quickstart.md"

// Manual parses README.md and every page below docs, in the root of the tree, and returns
// the blocks of those that have any: first the tutorial, then the others by name.
func Manual(root fs.FS) ([][]Block, error) {
	names := []string{"README.md"}
	err := fs.WalkDir(root, "docs", func(name string, _ fs.DirEntry, err error) error {
		if err == nil && path.Ext(name) == ".md" && name != tutorial {
			names = append(names, name)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("finding the pages: %w", err)
	}
	slices.SortFunc(names, strings.Compare) // capitals first
	var pages [][]Block
	for _, name := range append([]string{tutorial}, names...) {
		text, err := fs.ReadFile(root, name)
		if err != nil {
			return nil, fmt.Errorf("reading a page: %w", err)
		}
		blocks, err := Parse(name, string(text))
		if err != nil {
			return nil, err
		}
		if len(blocks) > 0 {
			pages = append(pages, blocks)
		}
	}
	return pages, nil
}
