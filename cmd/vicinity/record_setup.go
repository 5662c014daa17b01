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

	"github.com/vicinity-sched/vicinity/internal/kube/objects"
	"github.com/vicinity-sched/vicinity/internal/recorder"
	"github.com/vicinity-sched/vicinity/internal/show"
	"github.com/vicinity-sched/vicinity/internal/telemetrysetup"
)

// recorder returns what the flags ask to record from. The function returned ends
// its connections.
func (o *recordOptions) recorder(cmd *cobra.Command, s streams, now func() time.Time) (recorder.Options, func(), error) {
	none := recorder.Options{}
	cfg, err := o.configuration(cmd)
	if err != nil {
		return none, nil, err
	}
	sources, err := telemetrysetup.Sources(cfg)
	if err != nil {
		return none, nil, err
	}
	client, err := o.cluster()
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
	return recorder.Options{
		Sources: sources, Querier: querier, Client: client, Step: o.step, Now: now, Wait: wait,
		Progress: showProgress(s.progress), Anonymize: names,
	}, querier.Close, nil
}

// cluster returns a client of the API server that kubectl would take.
func (o *recordOptions) cluster() (dynamic.Interface, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = o.kubeconfig
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: o.context}).ClientConfig()
	if clientcmd.IsEmptyConfig(err) {
		return nil, fmt.Errorf("which cluster? There is no kubeconfig: give one with --kubeconfig FILE, or set KUBECONFIG")
	}
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig: %w; check with: kubectl config get-contexts", err)
	}
	config.UserAgent = "vicinity-record"
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
