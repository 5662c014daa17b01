package main

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/vicinity-sched/vicinity/internal/usage"
)

// clusterOptions are the flags of the verbs that ask an API server, as kubectl has them. What
// --namespace means depends on the verb: addNamespaceFlag or addSearchFlag adds it.
type clusterOptions struct{ kubeconfig, context, namespace string }

// addFlags adds the flags that mean the same with every verb.
func (o *clusterOptions) addFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.kubeconfig, "kubeconfig", "", "kubeconfig `FILE` (default: the one that kubectl uses, or in a pod its own account)")
	f.StringVar(&o.context, "context", "", "`NAME` of the context in the kubeconfig (default: the current one)")
	addCompletion(cmd, map[string]cobra.CompletionFunc{"context": o.completeContexts})
}

// addNamespaceFlag adds --namespace with what it means for the verb.
func (o *clusterOptions) addNamespaceFlag(cmd *cobra.Command, meaning string) {
	cmd.Flags().StringVarP(&o.namespace, "namespace", "n", "", meaning)
	addCompletion(cmd, map[string]cobra.CompletionFunc{"namespace": o.completeNamespaces})
}

// addSearchFlag adds --namespace to a verb that is about the whole cluster.
func (o *clusterOptions) addSearchFlag(cmd *cobra.Command) {
	o.addNamespaceFlag(cmd, "look for Prometheus only in this `NAMESPACE` (without --prometheus and --telemetry-config)")
	cmd.Flags().Lookup("namespace").Annotations = map[string][]string{searchOnly: {"true"}}
}

// searchOnly marks a flag --namespace that says where to look for Prometheus.
const searchOnly = "vicinity_search_only"

// readingCluster is the line of progress meanwhile.
const readingCluster = "reading the objects of the cluster..."

// load reads the kubeconfig.
func (o *clusterOptions) load() clientcmd.ClientConfig {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = o.kubeconfig
	rules.WarnIfAllMissing = false // the error says it
	return clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: o.context})
}

// restConfig says how to reach the API server that kubectl would take. userAgent is what the
// client calls itself.
func (o *clusterOptions) restConfig(userAgent string) (*rest.Config, error) {
	if o.kubeconfig != "" {
		if info, err := os.Stat(o.kubeconfig); err != nil {
			return nil, usage.File("--kubeconfig", err)
		} else if info.IsDir() {
			return nil, usage.Errorf("--kubeconfig %s: is a directory", o.kubeconfig)
		}
	}
	config, err := o.load().ClientConfig()
	if clientcmd.IsEmptyConfig(err) && o.kubeconfig != "" {
		return nil, usage.Errorf("--kubeconfig %s: no cluster is named there; check with: kubectl config get-contexts --kubeconfig %s", o.kubeconfig, shellQuoted(o.kubeconfig))
	}
	if clientcmd.IsEmptyConfig(err) {
		return nil, noKubeconfigError{os.Getenv(clientcmd.RecommendedConfigPathEnvVar)}
	}
	if err != nil && o.lacksContext() {
		return nil, usage.Errorf("--context %q: there is no such context; type: kubectl config get-contexts", o.context)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig: %w; check with: kubectl config get-contexts", err)
	}
	config.UserAgent = userAgent
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return apiOnly{next} })
	config.QPS, config.Burst = 50, 100 // of kubectl; the default of 5 is for controllers
	return config, nil
}

// clusterError is a failure to read the cluster, with the next step.
type clusterError struct{ error }

// Unwrap returns the failure.
func (e clusterError) Unwrap() error { return e.error }

// apiOnly refuses what a login page or a wrong address answers with. What the API server
// forwards may be anything.
type apiOnly struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (a apiOnly) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := a.next.RoundTrip(r)
	if err != nil || strings.Contains(r.URL.Path, "/proxy/") || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html") {
		return resp, err
	}
	resp.Body.Close()
	return nil, fmt.Errorf("it answers with a page of HTML (status %d), which is not the Kubernetes API: check the server's address in the kubeconfig, and what is before it", resp.StatusCode)
}

// lacksContext reports whether the kubeconfig has no context of the flag's name.
func (o *clusterOptions) lacksContext() bool {
	if o.context == "" {
		return false
	}
	all, err := o.load().RawConfig()
	return err == nil && all.Contexts[o.context] == nil
}

// noKubeconfigError says that nothing names a cluster.
type noKubeconfigError struct {
	variable string // KUBECONFIG, "" where it is not set
}

// Error says what to give.
func (e noKubeconfigError) Error() string {
	if e.variable != "" {
		return "which cluster? KUBECONFIG is " + e.variable + ", and no cluster is named there: set it to a kubeconfig, or give one with --kubeconfig FILE"
	}
	return "which cluster? There is no kubeconfig: give one with --kubeconfig FILE, or set KUBECONFIG"
}

// exitCode is that of a command line that lacks something.
func (noKubeconfigError) exitCode() int { return exitUsage }

// checkThere reports a kubeconfig or a context that does not exist, also where it turns out that no
// cluster need be asked. o may be nil.
func (o *clusterOptions) checkThere() error {
	if o == nil || o.kubeconfig == "" && o.context == "" {
		return nil
	}
	_, err := o.restConfig("")
	if mistake := (usage.Error{}); errors.As(err, &mistake) {
		return mistake
	}
	return nil // of what else is wrong, those who need the cluster tell
}

// named reports whether anything says which cluster; o may be nil.
func (o *clusterOptions) named() bool {
	if o == nil {
		return false
	}
	_, err := o.load().ClientConfig()
	return !clientcmd.IsEmptyConfig(err)
}

// answerTimeout is how long an API server may take for one answer, a page of a list for example.
const answerTimeout = 30 * time.Second

// askingConfig is restConfig for verbs that ask and do not watch: one that never answers does
// not hold them up for ever.
func (o *clusterOptions) askingConfig(userAgent string) (*rest.Config, error) {
	config, err := o.restConfig(userAgent)
	if err != nil {
		return nil, err
	}
	config.Timeout = answerTimeout
	return config, nil
}

// connect returns a client of the API server that kubectl would take.
func (o *clusterOptions) connect(userAgent string) (dynamic.Interface, error) {
	config, err := o.askingConfig(userAgent)
	if err != nil {
		return nil, err
	}
	return dynamic.NewForConfig(config)
}

// contextNamespace is the namespace that kubectl would take.
func (o *clusterOptions) contextNamespace() string {
	namespace, _, err := o.load().Namespace()
	if err != nil {
		return "default"
	}
	return namespace
}

// checkSearch reports a namespace to look in, where nothing is looked for.
func checkSearch(cmd *cobra.Command, given string) error {
	f := cmd.Flags().Lookup("namespace")
	if f == nil || !f.Changed || f.Annotations[searchOnly] == nil || given == "" {
		return nil
	}
	return usage.Errorf("--namespace does not go with %s: it says where to look for Prometheus, and %s is about the whole cluster", given, cmd.Name())
}
