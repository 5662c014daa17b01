package doccommands

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Outputs returns, by the index of a block of commands, the block that shows what the
// last of them prints: a text that follows in the same section.
func Outputs(blocks []Block) map[int]Block {
	outputs := map[int]Block{}
	for i, b := range blocks[:max(0, len(blocks)-1)] {
		next := blocks[i+1]
		if b.Kind == Shell && next.Kind == Text && !next.NotPrinted && next.Section == b.Section && (next.Language == "" || next.Language == "text") {
			outputs[i] = next
		}
	}
	return outputs
}

// Fits compares what a page shows with what a command has printed: each line's first
// word must be that of a printed line, and a line of capitals, the head of a table, must
// be there with all its words. Words with a digit, and lines that begin with "...",
// are taken to differ each time.
func Fits(shown, printed string) error {
	digit := regexp.MustCompile(`[0-9]`)
	var first []string
	for line := range strings.Lines(printed) {
		if words := strings.Fields(line); len(words) > 0 {
			first = append(first, words[0])
		}
	}
	all := strings.Fields(printed)
	for line := range strings.Lines(shown) {
		words := strings.Fields(line)
		if len(words) == 0 || strings.HasPrefix(words[0], "...") || digit.MatchString(words[0]) {
			continue
		}
		if !slices.Contains(first, words[0]) {
			return fmt.Errorf("no line that begins with %q, as the page shows", words[0])
		}
		if line == strings.ToUpper(line) && !digit.MatchString(line) {
			for _, w := range words {
				if !slices.Contains(all, w) {
					return fmt.Errorf("no column %q, as the page shows", w)
				}
			}
		}
	}
	return nil
}
