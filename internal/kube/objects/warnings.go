package objects

import "fmt"

// Warning is something in a cluster that a replay cannot take over as it is. Equal cases
// are one Warning.
type Warning struct {
	Text string
	// Count is how many objects it is about.
	Count int
	// Example is the first of them, as the file has them.
	Example string
}

// String returns the warning as one line.
func (w Warning) String() string {
	if w.Count == 1 {
		return fmt.Sprintf("%s: %s", w.Text, w.Example)
	}
	return fmt.Sprintf("%s: %d, the first is %s", w.Text, w.Count, w.Example)
}

// Warnings gathers warnings; equal ones are counted. The zero Warnings has none.
type Warnings struct {
	list []Warning
	at   map[string]int // by text, in list
}

// Add counts a case. Its example is only of interest for the first of its text.
func (n *Warnings) Add(text, example string) {
	i, known := n.at[text]
	if !known {
		if n.at == nil {
			n.at = map[string]int{}
		}
		i = len(n.list)
		n.at[text] = i
		n.list = append(n.list, Warning{Text: text, Example: example})
	}
	n.list[i].Count++
}

// List returns the warnings in the order of their first cases.
func (n *Warnings) List() []Warning { return n.list }

// has reports whether there is a case of a text.
func (n *Warnings) has(text string) bool {
	_, known := n.at[text]
	return known
}
