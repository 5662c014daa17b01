// Package kubeversion compares the version of Kubernetes that a scheduler is made of with that
// of an API server. It asks nobody.
package kubeversion

import (
	"fmt"
	"strings"

	apimachineryversion "k8s.io/apimachinery/pkg/util/version"
	"k8s.io/apimachinery/pkg/version"
)

// olderMinors is how many minors older than the scheduler an API server may be: as far back as
// Kubernetes emulates.
const olderMinors = 3

// Emulated returns the lower of two versions of the form major.minor, which a scheduler
// emulates, or why they do not go together.
func Emulated(own, server *apimachineryversion.Version) (*apimachineryversion.Version, error) {
	oldest := own.SubtractMinor(olderMinors)
	if server.Major() != own.Major() || server.Minor() > own.Minor() || server.LessThan(oldest) {
		return nil, fmt.Errorf("the API server is of version %d.%d, and vicinity-scheduler of %d.%d serves %d.%d to %d.%d: use the vicinity-scheduler for %d.%d, or force it with --emulated-version",
			server.Major(), server.Minor(), own.Major(), own.Minor(),
			oldest.Major(), oldest.Minor(), own.Major(), own.Minor(), server.Major(), server.Minor())
	}
	if server.LessThan(own) {
		return server, nil
	}
	return own, nil
}

// Of returns the version whose APIs an API server serves, as major.minor.
func Of(info *version.Info) (*apimachineryversion.Version, error) {
	major, minor := info.Major, info.Minor
	if info.EmulationMajor != "" {
		major, minor = info.EmulationMajor, info.EmulationMinor
	}
	// Some distributions mark changes of their own: "36+".
	parsed, err := apimachineryversion.ParseGeneric(major + "." + strings.TrimRight(minor, "+"))
	if err != nil {
		return nil, fmt.Errorf("the API server's version %q.%q: %w", major, minor, err)
	}
	return parsed, nil
}
