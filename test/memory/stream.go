package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"

	"github.com/vicinity-sched/vicinity/internal/kube"
)

// message is an object that knows how the API server sends it.
type message interface {
	runtime.Object
	metav1.Object
	Marshal() ([]byte, error)
	Unmarshal(text []byte) error
}

// feed has the factory's informers of what a scheduler holds most of read objects of the
// size; others find none.
func feed(f informers.SharedInformerFactory, s size, trim bool) error {
	for _, informer := range []cache.SharedIndexInformer{
		fed(f, s.nodes, s.node, func() *corev1.Node { return &corev1.Node{} }),
		fed(f, s.workloads()*(1+s.former), s.replicaSet, func() *appsv1.ReplicaSet { return &appsv1.ReplicaSet{} }),
		fed(f, s.pods, s.pod, func() *corev1.Pod { return &corev1.Pod{} }),
	} {
		transform := kube.Trim
		if !trim {
			transform = withoutManagedFieldsOfPods
		}
		if err := informer.SetTransform(transform); err != nil {
			return fmt.Errorf("trimming what informers hold: %w", err)
		}
	}
	return nil
}

// withoutManagedFieldsOfPods is what kube-scheduler trims (newPodInformer in
// k8s.io/kubernetes/pkg/scheduler/scheduler.go).
func withoutManagedFieldsOfPods(object any) (any, error) {
	if pod, ok := object.(*corev1.Pod); ok {
		pod.ManagedFields = nil
	}
	return object, nil
}

// fed is an informer of n objects. Each is encoded and decoded: what is decoded holds the
// memory that an object from an API server holds.
func fed[T message](f informers.SharedInformerFactory, n int, object func(int) T, empty func() T) cache.SharedIndexInformer {
	lw := &cache.ListWatch{
		ListWithContextFunc: func(context.Context, metav1.ListOptions) (runtime.Object, error) {
			return nil, errors.New("objects are streamed: client-go's feature WatchListClient must not be turned off")
		},
		WatchFuncWithContext: func(ctx context.Context, _ metav1.ListOptions) (watch.Interface, error) {
			w := &stream{events: make(chan watch.Event), stopped: make(chan struct{})}
			go w.send(ctx, n, func(i int) (runtime.Object, error) { return decoded(object(i), empty()) }, empty())
			return w, nil
		},
	}
	return f.InformerFor(empty(), func(kubernetes.Interface, time.Duration) cache.SharedIndexInformer {
		return cache.NewSharedIndexInformer(lw, empty(), 0, cache.Indexers{cache.NamespaceIndex: cache.MetaNamespaceIndexFunc})
	})
}

// decoded returns an object as a client decodes it.
func decoded[T message](object, into T) (runtime.Object, error) {
	text, err := object.Marshal()
	if err != nil {
		return nil, fmt.Errorf("encoding an object: %w", err)
	}
	if err := into.Unmarshal(text); err != nil {
		return nil, fmt.Errorf("decoding an object: %w", err)
	}
	return into, nil
}

// stream is a watch that begins with all objects and then stands still.
type stream struct {
	events  chan watch.Event
	stopped chan struct{}
	once    sync.Once
}

// Stop implements watch.Interface.
func (w *stream) Stop() { w.once.Do(func() { close(w.stopped) }) }

// ResultChan implements watch.Interface.
func (w *stream) ResultChan() <-chan watch.Event { return w.events }

// send sends n objects and the bookmark that ends them.
func (w *stream) send(ctx context.Context, n int, object func(int) (runtime.Object, error), end message) {
	defer close(w.events)
	for i := range n {
		o, err := object(i)
		if err != nil {
			o = &metav1.Status{Status: metav1.StatusFailure, Message: err.Error()}
			w.put(ctx, watch.Event{Type: watch.Error, Object: o})
			return
		}
		if !w.put(ctx, watch.Event{Type: watch.Added, Object: o}) {
			return
		}
	}
	end.SetResourceVersion("2")
	end.SetAnnotations(map[string]string{metav1.InitialEventsAnnotationKey: "true"})
	w.put(ctx, watch.Event{Type: watch.Bookmark, Object: end})
	select {
	case <-w.stopped:
	case <-ctx.Done():
	}
}

func (w *stream) put(ctx context.Context, e watch.Event) bool {
	select {
	case w.events <- e:
		return true
	case <-w.stopped:
	case <-ctx.Done():
	}
	return false
}
