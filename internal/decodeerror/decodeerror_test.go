package decodeerror

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"sigs.k8s.io/yaml"
)

// config has fields of every kind.
type config struct {
	N     int32             `json:"count"`
	Text  string            `json:"text"`
	Yes   *bool             `json:"ok"`
	Share float64           `json:"share"`
	List  []config          `json:"list"`
	Map   map[string]string `json:"map"`
	Inner *config           `json:"inner"`
}

func TestPlain(t *testing.T) {
	cases := map[string]struct{ text, want string }{
		"integer":      {"count: many", "count: must be an integer (int32), not a string"},
		"string":       {"text: [a]", "text: must be a string, not a list"},
		"bool":         {"ok: 1", "ok: must be true or false, not a number"},
		"number":       {"share: {a: b}", "share: must be a number, not a map"},
		"list":         {"list: a", "list: must be a list, not a string"},
		"map":          {"map: true", "map: must be a map, not true or false"},
		"struct":       {"inner: 3", "inner: must be a map, not a number"},
		"deep":         {"inner: {inner: {count: a}}", "inner.inner.count: must be an integer (int32), not a string"},
		"whole":        {"hello", "must be a map, not a string"},
		"YAML":         {"a: b: c", "mapping values are not allowed in this context"},
		"line":         {"count: 1\nok: b: c", "line 2: mapping values are not allowed in this context"},
		"a key twice":  {"count: 1\ncount: 2", `line 2: key "count" already set in map`},
		"out of range": {"count: 3000000000", "count: must be an integer (int32), not a number"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			err := yaml.UnmarshalStrict([]byte(c.text), &config{})
			for _, err := range []error{err, fmt.Errorf("%w", err), errors.New(err.Error())} {
				if got := Plain(err); got.Error() != c.want {
					t.Errorf("%v became %v, want %s", err, got, c.want)
				}
			}
		})
	}
}

func TestPlainLeavesOthersAlone(t *testing.T) {
	for _, text := range []string{"open a.yaml: no such file", "share: must be between 0 and 1"} {
		err := errors.New(text)
		if got := Plain(err); got != err { //nolint:errorlint // the very same
			t.Errorf("%q became %q", text, got)
		}
	}
	if Plain(nil) != nil {
		t.Error("nil became an error")
	}
	err := fmt.Errorf("decoding args for plugin X: %w", json.Unmarshal([]byte(`{"count": "a"}`), &config{}))
	if want := "decoding args for plugin X: count: must be an integer (int32), not a string"; Plain(err).Error() != want {
		t.Errorf("%v, want %s", Plain(err), want)
	}
}
