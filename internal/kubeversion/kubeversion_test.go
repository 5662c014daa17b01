package kubeversion

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/version"
	apiversion "k8s.io/apimachinery/pkg/version"
)

func TestEmulated(t *testing.T) {
	for _, c := range []struct{ own, server, want string }{
		{"1.37", "1.37", "1.37"},
		{"1.37", "1.36", "1.36"},
		{"1.37", "1.34", "1.34"},
		{"1.37", "1.33", "API server is of version 1.33, and vicinity-scheduler of 1.37 serves 1.34 to 1.37"},
		{"1.37", "1.38", "API server is of version 1.38, and vicinity-scheduler of 1.37 serves 1.34 to 1.37"},
		{"1.37", "2.0", "API server is of version 2.0"},
	} {
		got, err := Emulated(version.MustParseGeneric(c.own), version.MustParseGeneric(c.server))
		switch {
		case err != nil && (!strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n")):
			t.Errorf("server %s: error %v, want %q", c.server, err, c.want)
		case err == nil && !got.EqualTo(version.MustParseGeneric(c.want)):
			t.Errorf("server %s: emulates %v, want %s", c.server, got, c.want)
		}
	}
}

func TestOf(t *testing.T) {
	for name, c := range map[string]struct {
		info apiversion.Info
		want string // "" is an error
	}{
		"plain":    {apiversion.Info{Major: "1", Minor: "36"}, "1.36"},
		"changed":  {apiversion.Info{Major: "1", Minor: "36+"}, "1.36"},
		"emulated": {apiversion.Info{Major: "1", Minor: "37", EmulationMajor: "1", EmulationMinor: "35"}, "1.35"},
		"none":     {apiversion.Info{}, ""},
	} {
		got, err := Of(&c.info)
		if (err == nil) != (c.want != "") || err == nil && !got.EqualTo(version.MustParseGeneric(c.want)) {
			t.Errorf("%s: %v, %v; want %q", name, got, err, c.want)
		}
	}
}
