package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// row is what the page says of one key.
type row struct {
	key, value, meaning string
}

// describe returns the keys of a chart's values in their order. A key whose value is a map
// of documented keys has a row only if it has a comment. Of all others the comment is
// required.
func describe(values []byte) ([]row, error) {
	document, err := yaml.Parse(string(values))
	if err != nil {
		return nil, err
	}
	rows, missing := below("", document.YNode())
	if len(missing) > 0 {
		return nil, errors.New("no comment above " + strings.Join(missing, ", "))
	}
	return rows, nil
}

// below returns the rows of a map's keys and the keys that lack a comment.
func below(prefix string, node *yaml.Node) (rows []row, missing []string) {
	for i := 0; i+1 < len(node.Content); i += 2 {
		name, value := node.Content[i], node.Content[i+1]
		key := prefix + name.Value
		meaning := text(name.HeadComment)
		if documented(value) {
			if meaning != "" {
				rows = append(rows, row{key: key, meaning: meaning})
			}
			more, lacking := below(key+".", value)
			rows, missing = append(rows, more...), append(missing, lacking...)
			continue
		}
		if meaning == "" {
			missing = append(missing, key)
			continue
		}
		rows = append(rows, row{key: key, value: asJSON(value), meaning: meaning})
	}
	return rows, missing
}

// documented reports whether a value is a map with a comment on a key at any depth.
func documented(value *yaml.Node) bool {
	if value.Kind != yaml.MappingNode {
		return false
	}
	for i := 0; i+1 < len(value.Content); i += 2 {
		if value.Content[i].HeadComment != "" || documented(value.Content[i+1]) {
			return true
		}
	}
	return false
}

// text returns a comment as one line. What stands above an empty line is not the key's.
func text(comment string) string {
	if i := strings.LastIndex(comment, "\n\n"); i >= 0 {
		comment = comment[i+2:]
	}
	var words []string
	for line := range strings.Lines(comment) {
		words = append(words, strings.Fields(strings.TrimPrefix(line, "#"))...)
	}
	return strings.Join(words, " ")
}

// asJSON returns a value in the form in which --set-json takes it.
func asJSON(value *yaml.Node) string {
	var v any
	if err := value.Decode(&v); err != nil {
		return fmt.Sprintf("(%v)", err)
	}
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprintf("(%v)", err)
	}
	return string(data)
}

// manual is a page of the manual as a comment names it.
var manual = regexp.MustCompile(`docs/((?:[a-z-]+/)?[a-z-]+\.md)`)

const intro = `# Values of the Helm chart

<!-- Written by "go run ./hack/docchart" from charts/vicinity/values.yaml; do not edit. -->

[install.md](install.md) shows how to install the chart, and how to give it values. Unknown
keys and values of the wrong kind are refused (` + "`charts/vicinity/values.schema.json`" + `).

| key | default | meaning |
| --- | --- | --- |
`

// render returns the page.
func render(rows []row) []byte {
	var b strings.Builder
	b.WriteString(intro)
	for _, r := range rows {
		value := ""
		if r.value != "" {
			value = "`" + r.value + "`"
		}
		meaning := manual.ReplaceAllString(r.meaning, "[$1]($1)")
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", r.key, cell(value), cell(meaning))
	}
	return []byte(b.String())
}

// cell makes text fit into a table.
func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }
