package objects

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"iter"

	"k8s.io/apimachinery/pkg/runtime"
)

// WriteObjects writes objects of the kinds in the table as a List in JSON that ReadObjects
// reads. It sets the kind of each of them: objects in memory do not say it.
func WriteObjects(w io.Writer, all iter.Seq[runtime.Object]) error {
	out, table := bufio.NewWriter(w), NewTable()
	// A bufio.Writer remembers its first error until it is flushed.
	_, _ = out.WriteString(`{"apiVersion":"v1","kind":"List","items":[`)
	separator := "\n"
	for object := range all {
		k := table.KindOf(object)
		if k == nil {
			return fmt.Errorf("writing the objects: a %T is of no kind that is read", object)
		}
		object.GetObjectKind().SetGroupVersionKind(k.GroupVersionKind)
		data, err := json.Marshal(object)
		if err != nil {
			return fmt.Errorf("writing the objects: %w", err)
		}
		_, _ = out.WriteString(separator)
		if _, err := out.Write(data); err != nil {
			return fmt.Errorf("writing the objects: %w", err)
		}
		separator = ",\n"
	}
	_, _ = out.WriteString("\n]}\n")
	if err := out.Flush(); err != nil {
		return fmt.Errorf("writing the objects: %w", err)
	}
	return nil
}
