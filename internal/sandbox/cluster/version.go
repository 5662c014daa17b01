package cluster

import (
	"fmt"
	"strings"

	apimachineryversion "k8s.io/apimachinery/pkg/version"
	"k8s.io/apiserver/pkg/util/compatibility"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	basecompatibility "k8s.io/component-base/compatibility"
)

// release says which release of Kubernetes the API server is of, also in a program that is
// linked without that, as tests are. Helm compares it with what a chart asks for.
type release struct {
	basecompatibility.MutableEffectiveVersion
}

// Info implements EffectiveVersion.
func (r release) Info() *apimachineryversion.Info {
	info := r.MutableEffectiveVersion.Info()
	if info != nil && strings.HasPrefix(info.GitVersion, "v0.0.0-") {
		info.GitVersion = fmt.Sprintf("v%s.%s.0", info.Major, info.Minor)
	}
	return info
}

// registerRelease makes the API server of this process say it. It must come before the API
// server's options are made.
func registerRelease() error {
	registry := compatibility.DefaultComponentGlobalsRegistry
	registry.Reset()
	return registry.Register(basecompatibility.DefaultKubeComponent, release{compatibility.DefaultBuildEffectiveVersion()}, utilfeature.DefaultMutableFeatureGate)
}
