// Package doccommands reads what pages of the manual show in blocks: commands, what
// they print, and configuration files. Tests run the commands as they are written
// (test/integration) and read the files as the programs would. It knows no page.
package doccommands

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

// Kind is what a block shows.
type Kind int

const (
	// Text is what a command prints, a formula, or anything else that nobody types.
	Text Kind = iota
	// Shell is one or more commands.
	Shell
	// YAML is a file, or a part of one.
	YAML
)

// String returns the name of a kind.
func (k Kind) String() string { return [...]string{"text", "shell", "yaml"}[k] }

// Block is an indented or fenced block of a page.
type Block struct {
	// Page is the path of the page, from the root of the tree.
	Page string
	// Line is the number of the block's first line.
	Line int
	// Section is the nearest heading above.
	Section string
	// Language is what follows the fence; "" for indented blocks.
	Language string
	// Kind is what the block shows.
	Kind Kind
	// Text is the block without its indentation, with a newline at its end.
	Text string
	// Before are commands that the page does not show, from marks above the block.
	Before []string
	// Exit is the exit code that its last command has.
	Exit int
	// NotPrinted is set where a mark says that the block above does not print this one.
	NotPrinted bool
}

// At says where the block is, as editors understand it.
func (b Block) At() string { return fmt.Sprintf("%s:%d", b.Page, b.Line) }

// programs are the first words by which a block is known to be typed.
func programs() []string {
	return []string{
		"argocd", "awk", "aws", "az", "bash", "bin/vicinity", "bin/vicinity-sandbox", "bin/vicinity-scheduler", "cat", "cd", "chmod", "cosign", "cp", "crane", "curl",
		"docker", "echo", "eksctl", "env", "export", "flux", "for", "gcloud", "git", "go", "grep", "helm", "if", "istioctl", "jq", "kind", "kubectl", "kustomize",
		"linkerd", "ln", "ls", "make", "mkdir", "mv", "openssl", "oras", "podman", "printf", "promtool", "rm", "sed", "sha256sum", "sh", "skopeo", "slsa-verifier", "source",
		"sudo", "tar", "tee", "test", "tmux", "unset", "until", "vicinity", "vicinity-sandbox", "vicinity-scheduler", "watch", "wget", "while", "xargs",
	}
}

// patterns of the lines of a page.
type patterns struct{ heading, fence, item, mark, assignment, yaml, flag *regexp.Regexp }

func newPatterns() patterns {
	return patterns{
		heading:    regexp.MustCompile(`^#+ +(.*)$`),
		fence:      regexp.MustCompile("^( *)(```+|~~~+) *([A-Za-z0-9]*)"),
		item:       regexp.MustCompile(`^( *)([-*]|[0-9]+[.)]) +`),
		mark:       regexp.MustCompile(`^ *<!-- docs-test: *(.*?) *-->$`),
		assignment: regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*=\S*$`),
		yaml:       regexp.MustCompile(`^(- )?["A-Za-z][\w.\-/"]*:( |$)|^# .*\.ya?ml\b|^- \{`),
		flag:       regexp.MustCompile(`^[a-z][a-z-]* .*(^| )--[a-z]`),
	}
}

// reader goes through a page line by line.
type reader struct {
	patterns
	page   string
	lines  []string
	items  []int // where the text of the open list items begins
	marks  []string
	head   string
	blocks []Block
}

// Parse returns the blocks of a page. It is an error when nobody can say whether a
// block is typed.
func Parse(page, text string) ([]Block, error) {
	r := &reader{patterns: newPatterns(), page: page, lines: strings.Split(text, "\n")}
	for i := 0; i < len(r.lines); {
		next, err := r.line(i)
		if err != nil {
			return nil, err
		}
		i = next
	}
	if len(r.marks) > 0 {
		return nil, fmt.Errorf("%s: the mark %q at the end has no block", page, r.marks[0])
	}
	return r.blocks, nil
}

// line reads what begins at a line and returns where the next begins.
func (r *reader) line(i int) (int, error) {
	line := r.lines[i]
	indent := len(line) - len(strings.TrimLeft(line, " "))
	switch m := r.mark.FindStringSubmatch(line); {
	case m != nil:
		r.marks = append(r.marks, m[1])
		return i + 1, nil
	case strings.TrimSpace(line) == "":
		return i + 1, nil
	}
	if m := r.fence.FindStringSubmatch(line); m != nil {
		return r.fenced(i, len(m[1]), m[2], m[3])
	}
	for len(r.items) > 0 && indent < r.items[len(r.items)-1] {
		r.items = r.items[:len(r.items)-1]
	}
	within := 0
	if len(r.items) > 0 {
		within = r.items[len(r.items)-1]
	}
	blankBefore := i == 0 || strings.TrimSpace(r.lines[i-1]) == "" || r.mark.MatchString(r.lines[i-1])
	if blankBefore && indent >= within+4 {
		return r.indented(i, within+4)
	}
	if m := r.item.FindString(line); m != "" {
		r.items = append(r.items, len(m))
	}
	if m := r.heading.FindStringSubmatch(line); m != nil {
		r.head = m[1]
	}
	return i + 1, nil
}

// fenced reads a block up to the fence that ends it.
func (r *reader) fenced(i, indent int, fence, language string) (int, error) {
	end := i + 1
	for end < len(r.lines) && !strings.HasPrefix(strings.TrimSpace(r.lines[end]), fence) {
		end++
	}
	if end == len(r.lines) {
		return 0, fmt.Errorf("%s:%d: the block does not end", r.page, i+1)
	}
	return end + 1, r.add(i+1, indent, end, language)
}

// indented reads a block up to the first line that is not in it.
func (r *reader) indented(i, indent int) (int, error) {
	end := i
	for j := i; j < len(r.lines); j++ {
		if strings.TrimSpace(r.lines[j]) == "" {
			continue
		}
		if len(r.lines[j])-len(strings.TrimLeft(r.lines[j], " ")) < indent {
			break
		}
		end = j + 1
	}
	return end, r.add(i, indent, end, "")
}

// add adds a block of lines.
func (r *reader) add(begin, indent, end int, language string) error {
	var text strings.Builder
	for _, line := range r.lines[begin:end] {
		text.WriteString(line[min(indent, len(line)-len(strings.TrimLeft(line, " "))):] + "\n")
	}
	b := Block{Page: r.page, Line: begin + 1, Section: r.head, Language: language, Text: text.String()}
	if err := b.mark(r.marks); err != nil {
		return err
	}
	r.marks = nil
	if err := b.classify(r.patterns); err != nil {
		return err
	}
	r.blocks = append(r.blocks, b)
	return nil
}

// mark applies the marks above a block.
func (b *Block) mark(marks []string) error {
	for _, m := range marks {
		word, rest, _ := strings.Cut(m, " ")
		switch word {
		case "run":
			b.Before = append(b.Before, rest)
		case "exit":
			if _, err := fmt.Sscan(rest, &b.Exit); err != nil {
				return fmt.Errorf("%s: the mark %q: %w", b.At(), m, err)
			}
		case "text":
			b.NotPrinted = true
		default:
			return fmt.Errorf("%s: the mark %q: must be run COMMAND, exit CODE or text", b.At(), m)
		}
	}
	return nil
}

// classify finds out what a block shows.
func (b *Block) classify(p patterns) error {
	switch b.Language {
	case "sh", "bash", "shell", "console":
		b.Kind = Shell
		return nil
	case "yaml":
		b.Kind = YAML
		return nil
	case "":
	default:
		return nil
	}
	first := ""
	for line := range strings.Lines(b.Text) {
		if first = strings.TrimSpace(line); first != "" && !strings.HasPrefix(first, "#") {
			break
		}
	}
	words := strings.Fields(strings.TrimPrefix(first, "$ "))
	for len(words) > 1 && p.assignment.MatchString(words[0]) {
		words = words[1:]
	}
	switch {
	case len(words) == 0:
	case slices.Contains(programs(), words[0]), strings.HasSuffix(words[0], ".sh"), len(words) == 1 && p.assignment.MatchString(words[0]):
		b.Kind = Shell
	case p.yaml.MatchString(strings.SplitN(b.Text, "\n", 2)[0]) && (words[0] == "apiVersion:" || yaml.UnmarshalStrict([]byte(b.Text), new(any)) == nil) && !strings.Contains(first, ", "):
		b.Kind = YAML
	case !b.NotPrinted && p.flag.MatchString(first):
		return fmt.Errorf("%s: is %q typed? Then add its first word to the programs that internal/doccommands knows; else put <!-- docs-test: text --> above", b.At(), first)
	}
	return nil
}
