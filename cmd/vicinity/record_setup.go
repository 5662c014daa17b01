package main

import (
	"crypto/rand"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

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
	config, err := o.clusterConfig()
	if err != nil {
		return none, nil, err
	}
	client, err := dynamic.NewForConfig(config)
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
	querier, err := o.client(cfg)
	if err != nil {
		return none, nil, err
	}
	if len(telemetrysetup.Resolving(sources)) == 0 {
		store = nil // and need not be filled
	}
	return recorder.Options{
		Sources: sources, Preferences: telemetrysetup.Preferences(cfg), Endpoints: store, Querier: querier, Client: client, Step: o.step, Now: now, Wait: wait,
		Progress: showProgress(s.line()), Anonymize: names,
	}, querier.Close, nil
}

// showProgress shows how far a recording is.
func showProgress(line func(string)) func(recorder.Progress) {
	return func(p recorder.Progress) {
		gaps := ""
		if p.Gaps > 0 {
			gaps = fmt.Sprintf(", %d of them gaps", p.Gaps)
		}
		line(fmt.Sprintf("recorded %d of %d steps%s, %s left (Ctrl-C stops early; the recording stays valid)", p.Steps, p.All, gaps, show.Duration(p.Left.Round(time.Second))))
	}
}

// clusterConfig says how to reach the API server. What watches it has no time limit, as watches
// have no end.
func (o *recordOptions) clusterConfig() (*rest.Config, error) {
	if o.since != 0 {
		return o.askingConfig("vicinity-record")
	}
	return o.restConfig("vicinity-record")
}
