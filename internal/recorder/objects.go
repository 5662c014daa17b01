package recorder

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/recording"
	"github.com/vicinity-sched/vicinity/internal/kube"
	"github.com/vicinity-sched/vicinity/internal/kube/objects"
)

// Anonymizer renames what is recorded. It gives the same new name for the
// same name, and WorkloadOf of a renamed pod is the renamed workload.
type Anonymizer interface {
	Workload(flowgraph.WorkloadID) flowgraph.WorkloadID
	// Object returns a renamed copy.
	Object(runtime.Object) (runtime.Object, error)
}

type objectKey struct{ resource, namespace, name string }

// recorded stands for what was recorded of an object last.
type recorded struct {
	digest          [16]byte
	namespace, name string // renamed, if names are
}

// encode returns an object as a recording has it, and its name there.
func (r *Recorder) encode(object runtime.Object) (text []byte, as recorded, err error) {
	if r.o.Anonymize != nil {
		if object, err = r.o.Anonymize.Object(object); err != nil {
			return nil, as, err
		}
	} else {
		object = object.DeepCopyObject()
		objects.DropAddresses(object)
	}
	about, err := meta.Accessor(object)
	if err != nil {
		return nil, as, err
	}
	about.SetResourceVersion("")
	if text, err = json.Marshal(object); err != nil {
		return nil, as, err
	}
	sum := sha256.Sum256(text)
	return text, recorded{[16]byte(sum[:16]), about.GetNamespace(), about.GetName()}, nil
}

// present writes the objects as they are now: those that are older than from at
// once. The others are returned in the order of their creation.
func (r *Recorder) present(ctx context.Context, from, to time.Time) ([]recording.Change, error) {
	var later []recording.Change
	for _, k := range r.kinds {
		options := metav1.ListOptions{Limit: pageSize}
		for {
			page, err := listPage(ctx, r.o.Client.Resource(k.GroupVersionResource()), options)
			if err != nil {
				return nil, fmt.Errorf("listing %s: %w", k.ResourceName(), err)
			}
			for i := range page.Items {
				u := &page.Items[i]
				c := recording.Change{Type: recording.Added, At: u.GetCreationTimestamp().Time}
				object, err := k.Record(u)
				if err == nil {
					c.Object, _, err = r.encode(object)
				}
				if err != nil {
					r.note(Note{Code: NotRecorded, Detail: err.Error()})
					continue
				}
				if c.At.After(from) {
					later = append(later, c)
					continue
				}
				c.At = from
				if err := r.write(c); err != nil {
					return nil, err
				}
			}
			if options.Continue = page.GetContinue(); options.Continue == "" {
				break
			}
		}
	}
	later = slices.DeleteFunc(later, func(c recording.Change) bool { return c.At.After(to) })
	slices.SortStableFunc(later, func(a, b recording.Change) int { return cmp.Compare(a.At.UnixNano(), b.At.UnixNano()) })
	return later, nil
}

// watch records what happens to objects until ctx ends. It returns when those
// that there are have been recorded, or when ctx has ended.
func (r *Recorder) watch(ctx context.Context) (running *sync.WaitGroup) {
	// What is wrong with a watch is a note; the reflector would write it to
	// stderr.
	ctx = klog.NewContext(ctx, logr.Discard())
	running = &sync.WaitGroup{}
	listed := make(chan struct{}, len(r.kinds))
	for _, k := range r.kinds {
		source := cache.ToListWatcherWithWatchListSemantics(r.recordedFields(k), r.o.Client)
		reflector := cache.NewReflectorWithOptions(source, nil, &store{recorder: r, kind: k, listed: listed}, cache.ReflectorOptions{Name: k.ResourceName()})
		reflector.WatchListPageSize = pageSize
		running.Go(func() { reflector.RunWithContext(ctx) })
	}
	for range r.kinds {
		select {
		case <-listed:
		case <-ctx.Done():
			return running
		}
	}
	return running
}

// recordedFields lists and watches a kind. Its objects lose the fields that are not
// recorded before anybody holds them.
func (r *Recorder) recordedFields(k objects.Kind) *cache.ListWatch {
	resource := r.o.Client.Resource(k.GroupVersionResource())
	return &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			page, err := resource.List(ctx, o)
			if err != nil {
				r.lost(ctx, k, err)
				return nil, err
			}
			keep := func(u *unstructured.Unstructured) (runtime.Object, error) { return r.keep(&k, u) }
			return pageOf(page, keep, func(err error) error {
				r.note(Note{Code: NotRecorded, Detail: err.Error()})
				return nil
			})
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			w, err := resource.Watch(ctx, o)
			if err != nil {
				// A server that does not list by watching is asked to list.
				if o.SendInitialEvents == nil {
					r.lost(ctx, k, err)
				}
				return nil, err
			}
			return newChangedWatch(w, func(e *watch.Event) bool {
				u, ok := e.Object.(*unstructured.Unstructured)
				if !ok || e.Type != watch.Added && e.Type != watch.Modified && e.Type != watch.Deleted {
					return true
				}
				object, err := r.keep(&k, u)
				if err != nil {
					r.note(Note{Code: NotRecorded, Detail: err.Error()})
					return false
				}
				e.Object = object
				return true
			}), nil
		},
	}
}

func (r *Recorder) note(n Note) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.notes.add(n)
}

// lost notes that a kind is out of sight until it has been listed again.
func (r *Recorder) lost(ctx context.Context, k objects.Kind, err error) {
	if ctx.Err() == nil {
		r.note(Note{Code: OutOfSight, Resource: k.ResourceName(), Detail: err.Error()})
	}
}

// store writes what a reflector brings. It holds no objects, only what they are
// called and a digest, to tell changes that matter.
type store struct {
	recorder *Recorder
	kind     objects.Kind
	listed   chan<- struct{} // is told when the objects are there; nil after that
}

// Add implements cache.ReflectorStore.
func (s *store) Add(object any) error { return s.put(object) }

// Update implements cache.ReflectorStore.
func (s *store) Update(object any) error { return s.put(object) }

// Resync implements cache.ReflectorStore.
func (s *store) Resync() error { return nil }

// key returns what an object is called.
func (s *store) key(object runtime.Object) (objectKey, error) {
	about, err := meta.Accessor(object)
	if err != nil {
		return objectKey{}, err
	}
	return objectKey{s.kind.ResourceName(), about.GetNamespace(), about.GetName()}, nil
}

func (s *store) put(object any) error {
	o, ok := object.(runtime.Object)
	if !ok {
		return fmt.Errorf("a %T", object)
	}
	key, err := s.key(o)
	if err != nil {
		return err
	}
	if err := s.recorder.lookUp(kube.ObjectChange{Object: o}); err != nil {
		return err
	}
	text, as, err := s.recorder.encode(o)
	if err != nil {
		return err
	}
	r := s.recorder
	r.mu.Lock()
	defer r.mu.Unlock()
	before, known := r.objects[key]
	if known && before == as {
		return nil // heartbeats, managed fields and the like
	}
	r.objects[key] = as
	c := recording.Change{Type: recording.Added, At: r.o.Now(), Object: text}
	if known {
		c.Type = recording.Modified
	}
	return r.writeLocked(c)
}

// Delete implements cache.ReflectorStore.
func (s *store) Delete(object any) error {
	o, ok := object.(runtime.Object)
	if !ok {
		return fmt.Errorf("a %T", object)
	}
	key, err := s.key(o)
	if err != nil {
		return err
	}
	if err := s.recorder.lookUp(kube.ObjectChange{Object: o, Deleted: true}); err != nil {
		return err
	}
	text, _, err := s.recorder.encode(o)
	if err != nil {
		return err
	}
	return s.deleted(key, text)
}

func (s *store) deleted(key objectKey, text []byte) error {
	r := s.recorder
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, known := r.objects[key]; !known {
		return nil
	}
	delete(r.objects, key)
	return r.writeLocked(recording.Change{Type: recording.Deleted, At: r.o.Now(), Object: text})
}

// Replace implements cache.ReflectorStore: what is not in the list has been
// deleted while nobody watched.
func (s *store) Replace(list []any, _ string) error {
	if look := s.recorder.o.Endpoints; look != nil {
		if err := look.Replace(s.kind.Kind, list); err != nil {
			return err
		}
	}
	there := map[objectKey]bool{}
	for _, object := range list {
		o, ok := object.(runtime.Object)
		if !ok {
			return fmt.Errorf("a %T", object)
		}
		key, err := s.key(o)
		if err != nil {
			return err
		}
		there[key] = true
		if err := s.put(o); err != nil {
			return err
		}
	}
	if s.listed != nil {
		s.listed <- struct{}{}
		s.listed = nil
	}
	return s.deleteOthers(there)
}

// deleteOthers records that the objects of the kind that are not there any more
// were deleted. Only their names are still known.
func (s *store) deleteOthers(there map[objectKey]bool) error {
	r := s.recorder
	r.mu.Lock()
	defer r.mu.Unlock()
	var gone []objectKey
	for key := range r.objects {
		if key.resource == s.kind.ResourceName() && !there[key] {
			gone = append(gone, key)
		}
	}
	slices.SortFunc(gone, func(a, b objectKey) int {
		return cmp.Or(cmp.Compare(a.namespace, b.namespace), cmp.Compare(a.name, b.name))
	})
	for _, key := range gone {
		as := r.objects[key]
		named, err := s.kind.Named(as.namespace, as.name)
		if err != nil {
			return err
		}
		text, err := json.Marshal(named)
		if err != nil {
			return err
		}
		delete(r.objects, key)
		if err := r.writeLocked(recording.Change{Type: recording.Deleted, At: r.o.Now(), Object: text}); err != nil {
			return err
		}
	}
	return nil
}
