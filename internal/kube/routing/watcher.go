package routing

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	authorizationclient "k8s.io/client-go/kubernetes/typed/authorization/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	"github.com/vicinity-sched/vicinity/internal/permissions"
)

const (
	group    = "networking.istio.io"
	resource = "destinationrules"
	// interval is how often the Watcher looks whether there are any now.
	interval = time.Minute
)

// versions are those of the API that are read, the newest first: v1 came with
// Istio 1.22.
func versions() []string { return []string{"v1", "v1beta1"} }

// Discovery is what the Watcher asks for the kinds that the API server has.
type Discovery interface {
	ServerResourcesForGroupVersion(groupVersion string) (*metav1.APIResourceList, error)
}

// Watcher keeps Istio's DestinationRules up to date for a scheduler, where the cluster
// has them and the scheduler may read them. Nobody waits for it, and nothing that goes
// wrong here goes further: without rules the Services alone say how calls are divided.
type Watcher struct {
	rules  *DestinationRules
	logger klog.Logger

	discovery Discovery
	reviews   authorizationclient.SelfSubjectAccessReviewInterface
	client    dynamic.Interface

	state   state
	known   bool // that state is one that was found
	skipped int  // rules that the log speaks of
	cancel  context.CancelFunc
	running sync.WaitGroup
}

// state is whether the rules are read: by which version, or else why not.
type state struct{ version, reason string }

// NewWatcher returns a Watcher that publishes what it reads in rules.
func NewWatcher(logger klog.Logger, rules *DestinationRules, discovery Discovery,
	reviews authorizationclient.SelfSubjectAccessReviewInterface, client dynamic.Interface) *Watcher {
	return &Watcher{rules: rules, logger: logger, discovery: discovery, reviews: reviews, client: client, cancel: func() {}}
}

// Run watches until ctx ends.
func (w *Watcher) Run(ctx context.Context) {
	defer w.stop()
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		if err := w.check(ctx); err != nil && ctx.Err() == nil {
			// What was read still counts; the next minute tells more.
			w.logger.V(2).Info("Whether DestinationRules can be read is not known", "err", err)
		}
		w.countSkipped()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// check starts or stops reading where something has changed. A panic is an error.
func (w *Watcher) check(ctx context.Context) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("panic: %v", cause)
		}
	}()
	found, err := w.find(ctx)
	if err != nil || w.known && found == w.state {
		return err
	}
	w.stop()
	w.state, w.known = found, true
	if found.version == "" {
		w.logger.V(2).Info("DestinationRules are not read", "reason", found.reason)
		return nil
	}
	w.logger.V(2).Info("DestinationRules are read", "version", found.version)
	return w.start(ctx)
}

// countSkipped says so when more or fewer rules than before are left out.
func (w *Watcher) countSkipped() {
	n := w.rules.Skipped()
	if n == w.skipped {
		return
	}
	w.skipped = n
	w.logger.Info("DestinationRules that cannot be decoded are left out", "count", n)
}

// find asks the API server for the kind, and whether it may be read.
func (w *Watcher) find(ctx context.Context) (state, error) {
	for _, version := range versions() {
		list, err := w.discovery.ServerResourcesForGroupVersion(group + "/" + version)
		switch {
		case apierrors.IsNotFound(err):
			continue
		case err != nil:
			return state{}, fmt.Errorf("asking for the resources of %s/%s: %w", group, version, err)
		case !slices.ContainsFunc(list.APIResources, func(r metav1.APIResource) bool { return r.Name == resource }):
			continue
		}
		for _, verb := range []string{"list", "watch"} {
			p := permissions.Permission{Verb: verb, Group: group, Resource: resource}
			allowed, err := permissions.Allowed(ctx, w.reviews, p)
			if err != nil {
				return state{}, err
			}
			if !allowed {
				return state{reason: "it may not " + p.String() + "; manifests/components/istio grants it"}, nil
			}
		}
		return state{version: version}, nil
	}
	return state{reason: "the cluster has none"}, nil
}

// start has an informer of our own fill a store, which counts once it is complete.
func (w *Watcher) start(ctx context.Context) error {
	informer := dynamicinformer.NewFilteredDynamicInformer(w.client,
		schema.GroupVersionResource{Group: group, Version: w.state.version, Resource: resource},
		metav1.NamespaceAll, 0, ruleIndexers(), nil).Informer()
	if err := informer.SetTransform(w.read); err != nil {
		return fmt.Errorf("reading DestinationRules: %w", err)
	}
	count := func() { w.rules.changes.Add(1) }
	if _, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { count() },
		UpdateFunc: func(any, any) { count() },
		DeleteFunc: func(any) { count() },
	}); err != nil {
		return fmt.Errorf("following DestinationRules: %w", err)
	}
	ctx, w.cancel = context.WithCancel(ctx)
	w.running.Go(func() { informer.RunWithContext(ctx) })
	w.running.Go(func() {
		if cache.WaitForCacheSync(ctx.Done(), informer.HasSynced) {
			w.rules.publish(informer.GetIndexer())
		}
	})
	return nil
}

// stop ends reading; no rule counts any more.
func (w *Watcher) stop() {
	w.cancel()
	w.running.Wait()
	w.rules.publish(nil)
}

// read translates what the informer is handed.
func (w *Watcher) read(object any) (any, error) {
	u, ok := object.(*unstructured.Unstructured)
	if !ok {
		return object, nil // as it was read before
	}
	r, err := ReadRule(u)
	if err != nil {
		// An error would stop the informer; the rule without a host takes the place of
		// what stood there before, and is counted.
		w.logger.V(2).Info("A DestinationRule cannot be decoded and is left out", "err", err)
	}
	return r, nil
}
