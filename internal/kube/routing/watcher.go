package routing

import (
	"context"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	authorizationclient "k8s.io/client-go/kubernetes/typed/authorization/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	"github.com/vicinity-sched/vicinity/internal/kube/optional"
)

const (
	group    = "networking.istio.io"
	resource = "destinationrules"
)

// versions are those of the API that are read, the newest first: v1 came with
// Istio 1.22.
func versions() []string { return []string{"v1", "v1beta1"} }

// Watcher keeps Istio's DestinationRules up to date for a scheduler, where the cluster
// has them and the scheduler may read them. Nobody waits for it, and nothing that goes
// wrong here goes further: without rules the Services alone say how calls are divided.
type Watcher struct {
	rules   *DestinationRules
	logger  klog.Logger
	cluster optional.Cluster
	skipped int // rules that the log speaks of
}

// NewWatcher returns a Watcher that publishes what it reads in rules.
func NewWatcher(logger klog.Logger, rules *DestinationRules, discovery optional.Discovery,
	reviews authorizationclient.SelfSubjectAccessReviewInterface, client dynamic.Interface) *Watcher {
	return &Watcher{rules: rules, logger: logger, cluster: optional.Cluster{Discovery: discovery, Reviews: reviews, Client: client}}
}

// Run watches until ctx ends.
func (w *Watcher) Run(ctx context.Context) {
	count := func() { w.rules.changes.Add(1) }
	optional.NewWatcher(w.logger, optional.Kind{
		GroupResource: schema.GroupResource{Group: group, Resource: resource}, Versions: versions(),
		Called: "DestinationRules", GrantedBy: "manifests/components/istio",
		Indexers: ruleIndexers(), Transform: w.read, Publish: w.rules.publish, Look: w.countSkipped,
		Handler: cache.ResourceEventHandlerFuncs{
			AddFunc:    func(any) { count() },
			UpdateFunc: func(any, any) { count() },
			DeleteFunc: func(any) { count() },
		},
	}, w.cluster).Run(ctx)
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
