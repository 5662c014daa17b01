package main

import (
	"regexp"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// called is the name that people call the program by: "vicinity", or "kubectl vicinity"
// where it is a plugin of kubectl. Texts say `vicinity VERB` everywhere, those of libraries
// too, which cannot know; they get the right name where they leave the program for people:
// in help, errors and tables. JSON, YAML, DOT and pages keep the program's own name: they
// are documents, and others read them. A nil *called changes nothing.
type called struct {
	name     string
	commands *regexp.Regexp // a verb behind the program's own name
}

// learn takes over the name and the verbs of a command line, and gives its help the name.
func (c *called) learn(root *cobra.Command) {
	c.name = root.DisplayName()
	var verbs []string
	for _, cmd := range root.Commands() {
		verbs = append(verbs, regexp.QuoteMeta(cmd.Name()))
	}
	c.commands = regexp.MustCompile("((?:^|[\\s(\"'`:;|])(?:kubectl )?)vicinity (" + strings.Join(verbs, "|") + `|--[a-z]+)\b`)
	c.help(root)
}

// help gives the name to the help of a command and those under it.
func (c *called) help(cmd *cobra.Command) {
	cmd.Short, cmd.Long, cmd.Example = c.text(cmd.Short), c.text(cmd.Long), c.text(cmd.Example)
	cmd.Flags().VisitAll(func(f *pflag.Flag) { f.Usage = c.text(f.Usage) })
	for _, sub := range cmd.Commands() {
		c.help(sub)
	}
}

// text returns a text for people with the name in place of the program's own.
func (c *called) text(text string) string {
	if c == nil || c.commands == nil || c.name == "vicinity" {
		return text
	}
	return c.commands.ReplaceAllStringFunc(text, func(found string) string {
		parts := c.commands.FindStringSubmatch(found)
		if strings.HasSuffix(parts[1], "kubectl ") {
			return found
		}
		return parts[1] + c.name + " " + parts[2]
	})
}
