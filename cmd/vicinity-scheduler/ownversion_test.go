package main

import (
	"testing"

	"github.com/spf13/pflag"
	"k8s.io/component-base/version/verflag"

	"github.com/vicinity-sched/vicinity/internal/version"
)

func TestRequestedVersion(t *testing.T) {
	build := version.Info{Version: "v0.1.0", Commit: "abc", Kubernetes: "v1.37.2", Go: "go1.26.8", Platform: "linux/arm64"}
	cases := map[string]struct {
		args       []string
		kubernetes string
		want       string
	}{
		"not asked for":       {nil, "v1.37.2", ""},
		"asked not to":        {[]string{"--version=false"}, "v1.37.2", ""},
		"asked for":           {[]string{"--version"}, "v1.37.2", "vicinity-scheduler v0.1.0, commit abc, Kubernetes v1.37.2, go1.26.8, linux/arm64"},
		"as kube-scheduler":   {[]string{"--version=raw"}, "v1.37.2", ""},
		"not told by make":    {[]string{"--version=true"}, "v0.0.0-master+$Format:%H$", "vicinity-scheduler v0.1.0, commit abc, Kubernetes v1.37.2, go1.26.8, linux/arm64"},
		"a vendor's build":    {[]string{"--version"}, "v1.37.2-eks-1", "vicinity-scheduler v0.1.0, commit abc, Kubernetes v1.37.2-eks-1, go1.26.8, linux/arm64"},
		"called by a version": {[]string{"--version=v0.0.0-custom"}, "v0.0.0-custom", ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			flags := pflag.NewFlagSet("", pflag.ContinueOnError)
			verflag.AddFlags(flags)
			t.Cleanup(func() { // the flag is the library's only one
				if err := flags.Set("version", "false"); err != nil {
					t.Error(err)
				}
			})
			if err := flags.Parse(tc.args); err != nil {
				t.Fatal(err)
			}
			if got := requestedVersion(flags, build, tc.kubernetes); got != tc.want {
				t.Errorf("got  %q\nwant %q", got, tc.want)
			}
		})
	}
}
