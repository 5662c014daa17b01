package usage

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func TestFile(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "none.yaml")
	_, opening := os.Open(missing)
	cases := map[string]struct {
		err     error
		want    string
		mistake bool
	}{
		"a missing file":   {opening, "--file " + missing + ": no such file or directory", true},
		"said by a caller": {fmt.Errorf("reading the configuration: %w", opening), "--file " + missing + ": no such file or directory", true},
		"a full disk":      {fmt.Errorf("writing a.csv: %w", &fs.PathError{Op: "write", Path: "a.csv", Err: errors.New("no space left on device")}), "writing a.csv: write a.csv: no space left on device", false},
		"what is in it":    {errors.New("a.yaml:1: unknown field"), "a.yaml:1: unknown field", false},
	}
	for name, tc := range cases {
		got := File("--file", tc.err)
		if mistake := (Error{}); got.Error() != tc.want || errors.As(got, &mistake) != tc.mistake {
			t.Errorf("%s: %q, a mistake: %v; want %q, %v", name, got, !tc.mistake, tc.want, tc.mistake)
		}
	}
	if got := File("--file", nil); got != nil {
		t.Errorf("of nothing: %v", got)
	}
}
