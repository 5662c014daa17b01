package main

import (
	"crypto/rand"
	"fmt"
	"io"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/vicinity-sched/vicinity/internal/kube/endpoints"
	"github.com/vicinity-sched/vicinity/internal/kube/objects"
	"github.com/vicinity-sched/vicinity/internal/recorder"
	"github.com/vicinity-sched/vicinity/internal/show"
	"github.com/vicinity-sched/vicinity/internal/telemetrysetup"
)

// recorder returns what the flags ask to record from. The function returned ends
// its connections.
func (o *recordOptions) recorder(cmd *cobra.Command, s streams, now func() time.Time) (recorder.Options, func(), error) {
	none := recorder.Options{}
	client, err := o.connect("vicinity-record")
	if err != nil {
		return none, nil, err
	}
	cfg, found, err := o.settled(cmd, s, now)
	if err != nil {
		return none, nil, err
	}
	o.found = found
	store := endpoints.NewStore()
	sources, err := telemetrysetup.Sources(cfg, store)
	if err != nil {
		return none, nil, err
	}
	var names recorder.Anonymizer
	if o.anonymize {
		var key [32]byte
		if _, err := rand.Read(key[:]); err != nil {
			return none, nil, err
		}
		names = objects.NewAnonymizer(key[:])
	}
	querier, err := telemetrysetup.Client(cfg)
	if err != nil {
		return none, nil, err
	}
	if len(telemetrysetup.Resolving(sources)) == 0 {
		store = nil // and need not be filled
	}
	return recorder.Options{
		Sources: sources, Preferences: telemetrysetup.Preferences(cfg), Endpoints: store, Querier: querier, Client: client, Step: o.step, Now: now, Wait: wait,
		Progress: showProgress(s.progress), Anonymize: names,
	}, querier.Close, nil
}

// clusterOptions are the flags of the verbs that ask an API server.
type clusterOptions struct{ kubeconfig, context string }

func (o *clusterOptions) addFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.kubeconfig, "kubeconfig", "", "kubeconfig `FILE`; otherwise that which kubectl takes, or the pod's own account")
	f.StringVar(&o.context, "context", "", "`NAME` of the context in the kubeconfig")
	addCompletion(cmd, map[string]cobra.CompletionFunc{"context": cobra.NoFileCompletions})
}

// connect returns a client of the API server that kubectl would take. userAgent is what
// it calls itself.
func (o *clusterOptions) connect(userAgent string) (dynamic.Interface, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = o.kubeconfig
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: o.context}).ClientConfig()
	if clientcmd.IsEmptyConfig(err) {
		return nil, fmt.Errorf("which cluster? There is no kubeconfig: give one with --kubeconfig FILE, or set KUBECONFIG")
	}
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig: %w; check with: kubectl config get-contexts", err)
	}
	config.UserAgent = userAgent
	config.QPS, config.Burst = 50, 100 // of kubectl; the default of 5 is for controllers
	return dynamic.NewForConfig(config)
}

// showProgress returns nil where nobody watches.
func showProgress(out io.Writer) func(recorder.Progress) {
	if out == nil {
		return nil
	}
	return func(p recorder.Progress) {
		gaps := ""
		if p.Gaps > 0 {
			gaps = fmt.Sprintf(", %d of them gaps", p.Gaps)
		}
		fmt.Fprintf(out, "%srecorded %d of %d steps%s, %s left (Ctrl-C ends the recording well)", eraseLine, p.Steps, p.All, gaps, show.Duration(p.Left.Round(time.Second)))
	}
}

func clearLine(out io.Writer) {
	if out != nil {
		fmt.Fprint(out, eraseLine)
	}
}

// programVersion is the version of this build.
func programVersion() string {
	info, _ := debug.ReadBuildInfo()
	return strings.TrimPrefix(strings.SplitN(versionLine(info), ",", 2)[0], "vicinity ")
}
