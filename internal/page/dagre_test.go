package page

import (
	"strings"
	"testing"

	"github.com/vicinity-sched/vicinity/internal/page/dagre"
)

// TestLibrary checks that only pages with a graph have the library, with its
// licence, and that nothing in it ends the script or asks for anything.
func TestLibrary(t *testing.T) {
	library := dagre.Script()
	if !strings.Contains(library, "Permission is hereby granted") || !strings.Contains(library, "var dagre=") {
		t.Error("the library or its licence is missing")
	}
	for _, banned := range []string{"</script", "<!--", "sourceMappingURL", "innerHTML", "new Function", "eval("} {
		if strings.Contains(library, banned) {
			t.Errorf("the library has %s", banned)
		}
	}
	for kind, want := range map[Kind]int{Graph: 1, Replay: 0} {
		if got := strings.Count(written(t, kind, "title", nil), library); got != want {
			t.Errorf("%s: the library is there %d times, want %d", kind, got, want)
		}
	}
}
