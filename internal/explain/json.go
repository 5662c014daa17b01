package explain

import (
	"encoding/json"
	"io"
)

// WriteJSON writes a result in the schema of Schema.
func (r *Result) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(r)
}
