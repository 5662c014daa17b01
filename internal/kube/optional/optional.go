// Package optional follows objects of kinds that a cluster need not have, and that a
// scheduler need not be allowed to read. Nobody waits for them, and nothing that goes wrong
// here goes further: without the objects a scheduler does without what they say.
package optional

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	authorizationclient "k8s.io/client-go/kubernetes/typed/authorization/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	"github.com/vicinity-sched/vicinity/internal/permissions"
)

// interval is how often a Watcher looks whether there are any objects now.
const interval = time.Minute

// Discovery is what a Watcher asks for the kinds that the API server has.
type Discovery interface {
	ServerResourcesForGroupVersion(groupVersion string) (*metav1.APIResourceList, error)
}

// Cluster is an API server as a Watcher needs it.
type Cluster struct {
	Discovery Discovery
	Reviews   authorizationclient.SelfSubjectAccessReviewInterface
	Client    dynamic.Interface
}

// Kind is what is followed.
type Kind struct {
	schema.GroupResource
	// Versions are those of the API that are read, the preferred ones first.
	Versions []string
	// Called is what the log calls the objects, such as "DestinationRules".
	Called string
	// GrantedBy is the component of the manifests that allows to read them.
	GrantedBy string
	// Indexers are those of the store.
	Indexers cache.Indexers
	// Transform makes of an object what is held of it; it returns no error.
	Transform cache.TransformFunc
	// Handler, when set, is told of every object.
	Handler cache.ResourceEventHandler
	// Publish, when set, is handed the store once it is complete, and nil when the
	// objects are followed no longer.
	Publish func(cache.Indexer)
	// Look, when set, is called once a minute.
	Look func()
}

// Watcher follows the objects of one kind, while the cluster has it and they may be read.
type Watcher struct {
	kind    Kind
	cluster Cluster
	logger  klog.Logger

	state   state
	known   bool // that state is one that was found
	cancel  context.CancelFunc
	running sync.WaitGroup
}

// state is whether the objects are read: by which version, or else why not.
type state struct{ version, reason string }

// NewWatcher returns a Watcher of a kind.
func NewWatcher(logger klog.Logger, kind Kind, cluster Cluster) *Watcher {
	return &Watcher{kind: kind, cluster: cluster, logger: logger, cancel: func() {}}
}

// Run watches until ctx ends.
func (w *Watcher) Run(ctx context.Context) {
	defer w.stop()
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		if err := w.check(ctx); err != nil && ctx.Err() == nil {
			// What was read still counts; the next minute tells more.
			w.logger.V(2).Info("Whether "+w.kind.Called+" can be read is not known", "err", err)
		}
		if w.kind.Look != nil {
			w.kind.Look()
		}
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
		w.logger.V(2).Info(w.kind.Called+" are not read", "reason", found.reason)
		return nil
	}
	w.logger.V(2).Info(w.kind.Called+" are read", "version", found.version)
	return w.start(ctx)
}

// find asks the API server for the kind, and whether it may be read.
func (w *Watcher) find(ctx context.Context) (state, error) {
	group, resource := w.kind.Group, w.kind.Resource
	for _, version := range w.kind.Versions {
		list, err := w.cluster.Discovery.ServerResourcesForGroupVersion(group + "/" + version)
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
			allowed, err := permissions.Allowed(ctx, w.cluster.Reviews, p)
			if err != nil {
				return state{}, err
			}
			if !allowed {
				return state{reason: "it may not " + p.String() + "; " + w.kind.GrantedBy + " grants it"}, nil
			}
		}
		return state{version: version}, nil
	}
	return state{reason: "the cluster has none"}, nil
}

// start has an informer of our own fill a store, which is published once it is complete.
func (w *Watcher) start(ctx context.Context) error {
	informer := dynamicinformer.NewFilteredDynamicInformer(w.cluster.Client, w.kind.WithVersion(w.state.version),
		metav1.NamespaceAll, 0, w.kind.Indexers, nil).Informer()
	if w.kind.Transform != nil {
		if err := informer.SetTransform(w.kind.Transform); err != nil {
			return fmt.Errorf("reading %s: %w", w.kind.Called, err)
		}
	}
	if w.kind.Handler != nil {
		if _, err := informer.AddEventHandler(w.kind.Handler); err != nil {
			return fmt.Errorf("following %s: %w", w.kind.Called, err)
		}
	}
	ctx, w.cancel = context.WithCancel(ctx)
	w.running.Go(func() { informer.RunWithContext(ctx) })
	w.running.Go(func() {
		if cache.WaitForCacheSync(ctx.Done(), informer.HasSynced) && w.kind.Publish != nil {
			w.kind.Publish(informer.GetIndexer())
		}
	})
	return nil
}

// stop ends reading; no object counts any more.
func (w *Watcher) stop() {
	w.cancel()
	w.running.Wait()
	if w.kind.Publish != nil {
		w.kind.Publish(nil)
	}
}
