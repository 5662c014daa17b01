package doccommands

import (
	"regexp"
	"strings"
)

// Commands returns the commands of a block, each with its continuation lines. In a
// block of the language console, they follow "$ ".
func (b Block) Commands() []string {
	if b.Kind != Shell {
		return nil
	}
	var commands []string
	current := ""
	for line := range strings.Lines(b.Text) {
		line = strings.TrimSuffix(line, "\n")
		if b.Language == "console" && current == "" {
			typed, ok := strings.CutPrefix(line, "$ ")
			if !ok {
				continue
			}
			line = typed
		}
		if current == "" && (strings.TrimSpace(line) == "" || strings.HasPrefix(strings.TrimSpace(line), "#")) {
			continue
		}
		current += line
		if complete(current) {
			commands = append(commands, current)
			current = ""
		} else {
			current += "\n"
		}
	}
	if current != "" {
		commands = append(commands, strings.TrimSuffix(current, "\n"))
	}
	return commands
}

// complete says whether a shell would run what has been typed so far. It knows the
// forms that manuals use.
func complete(typed string) bool {
	if open, rest := heredoc(typed); open {
		return false
	} else if rest != "" {
		typed = rest
	}
	bare, closed := unquoted(typed)
	if !closed {
		return false
	}
	bare = strings.TrimRight(bare, " ")
	for _, end := range []string{`\`, "|", "&&", "||"} {
		if strings.HasSuffix(bare, end) {
			return false
		}
	}
	depth := 0
	for _, word := range strings.FieldsFunc(bare, func(r rune) bool { return strings.ContainsRune(" ;\n", r) }) {
		switch word {
		case "for", "while", "until", "if", "case":
			depth++
		case "done", "fi", "esac":
			depth--
		}
	}
	return depth <= 0
}

// heredoc says whether a here-document is still open, and otherwise returns the line
// that began it.
func heredoc(typed string) (open bool, line string) {
	first, body, _ := strings.Cut(typed, "\n")
	m := regexp.MustCompile(`<<-?\s*['"]?([A-Za-z_]+)['"]?`).FindStringSubmatch(first)
	if m == nil {
		return false, ""
	}
	for l := range strings.Lines(body + "\n") {
		if strings.TrimSpace(l) == m[1] {
			return false, first
		}
	}
	return true, ""
}

// unquoted returns what is typed outside of quotes and comments, and whether the last
// quote is closed.
func unquoted(typed string) (bare string, closed bool) {
	var out strings.Builder
	quote := rune(0)
	escaped, comment, before := false, false, ' '
	for _, r := range typed {
		switch {
		case comment:
			comment = r != '\n'
		case escaped:
			escaped = false
		case r == '\\' && quote != '\'':
			escaped = true
			if quote == 0 {
				out.WriteRune(r)
			}
		case quote != 0:
			if r == quote {
				quote = 0
			}
		case r == '\'' || r == '"':
			quote = r
			out.WriteRune('q')
		case r == '#' && strings.ContainsRune(" \n\t", before):
			comment = true
		default:
			out.WriteRune(r)
		}
		before = r
	}
	return out.String(), quote == 0
}
