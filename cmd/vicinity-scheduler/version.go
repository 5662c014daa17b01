package main

import (
	"context"
	"fmt"
	"os"
	"time"

	apimachineryversion "k8s.io/apimachinery/pkg/util/version"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/version"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/tools/clientcmd"
	basecompatibility "k8s.io/component-base/compatibility"
	"k8s.io/klog/v2"
	schedulerv1 "k8s.io/kube-scheduler/config/v1"
	"k8s.io/kubernetes/cmd/kube-scheduler/app/options"
	"sigs.k8s.io/yaml"

	"github.com/vicinity-sched/vicinity/internal/kubeversion"
)

const (
	emulatedVersionFlag = "emulated-version"
	// versionPatience is how long we wait for an API server that does not
	// answer: the control plane may be starting too.
	versionPatience = time.Minute
)

// emulateServer makes the feature gates those of the API server's version where
// that is older than this program's: a newer kube-scheduler waits for ever for
// kinds that an older API server does not have. It must run before the feature
// gates are set. The flag --emulated-version overrides it.
func emulateServer(ctx context.Context, opts *options.Options) error {
	flags := opts.Flags.FlagSet("feature gate")
	if flags.Lookup(emulatedVersionFlag).Changed {
		return nil
	}
	server, err := serverVersion(ctx, opts)
	if err != nil {
		return err
	}
	binary := opts.ComponentGlobalsRegistry.EffectiveVersionFor(basecompatibility.DefaultKubeComponent).BinaryVersion()
	own := apimachineryversion.MajorMinor(binary.Major(), binary.Minor())
	emulated, err := kubeversion.Emulated(own, server)
	if err != nil || emulated.EqualTo(own) {
		return err
	}
	return flags.Set(emulatedVersionFlag, fmt.Sprintf("%s=%d.%d", basecompatibility.DefaultKubeComponent, emulated.Major(), emulated.Minor()))
}

// serverVersion asks the API server for the version whose APIs it serves.
func serverVersion(ctx context.Context, opts *options.Options) (*apimachineryversion.Version, error) {
	kubeconfig, err := kubeconfigPath(opts)
	if err != nil {
		return nil, err
	}
	config, err := clientcmd.BuildConfigFromFlags(opts.Master, kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("finding the API server: %w", err)
	}
	config.Timeout = 10 * time.Second
	client, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("finding the API server: %w", err)
	}
	var info *version.Info
	var failure error
	err = wait.PollUntilContextTimeout(ctx, time.Second, versionPatience, true, func(context.Context) (bool, error) {
		before := failure
		if info, failure = client.ServerVersion(); failure != nil && before == nil {
			klog.FromContext(ctx).Info("Waiting for the API server", "server", config.Host, "err", failure)
		}
		return failure == nil, nil
	})
	if err != nil {
		return nil, fmt.Errorf("asking the API server for its version: %w", failure)
	}
	return kubeversion.Of(info)
}

// kubeconfigPath finds the kubeconfig as kube-scheduler does: in the
// configuration file when there is one, else in the flag. The file is not
// checked here: that takes the feature gates.
func kubeconfigPath(opts *options.Options) (string, error) {
	if opts.ConfigFile == "" {
		return opts.Flags.FlagSet("deprecated").Lookup("kubeconfig").Value.String(), nil
	}
	data, err := os.ReadFile(opts.ConfigFile)
	if err != nil {
		return "", fmt.Errorf("reading the scheduler's configuration: %w", err)
	}
	var c schedulerv1.KubeSchedulerConfiguration
	if err := yaml.Unmarshal(data, &c); err != nil {
		return "", fmt.Errorf("%s: %w", opts.ConfigFile, err)
	}
	return c.ClientConnection.Kubeconfig, nil
}
