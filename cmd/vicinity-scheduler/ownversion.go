package main

import (
	"strings"

	"github.com/spf13/pflag"

	"github.com/vicinity-sched/vicinity/internal/version"
)

// requestedVersion returns what --version asks for, and nothing for its other values:
// kube-scheduler's raw, and a version of Kubernetes to be called by, which kubernetes
// then is.
func requestedVersion(flags *pflag.FlagSet, build version.Info, kubernetes string) string {
	if flag := flags.Lookup("version"); flag == nil || flag.Value.String() != "true" {
		return ""
	}
	// What kube-scheduler says of a build that nobody has told its version.
	if !strings.HasPrefix(kubernetes, "v0.0.0-master+") {
		build.Kubernetes = kubernetes
	}
	return "vicinity-scheduler " + build.String()
}
