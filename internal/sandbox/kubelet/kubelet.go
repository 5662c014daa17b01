// Package kubelet runs the pods of one image as processes of this machine. The
// simulated nodes run no containers; for the one program that matters, this makes an
// installation real: a pod's process begins when the pod runs on its node, with the
// pod's arguments, its ConfigMaps and a token of its ServiceAccount, it is begun again
// when it ends, unless the pod's restartPolicy says otherwise, and it is stopped when the
// pod is deleted.
//
// It is not a kubelet beyond that: no isolation, no probes but /readyz, one container for
// each pod, and volumes of ConfigMaps, Secrets and emptyDir only. Whatever runs in the
// cluster as well, such as a Service's name, is made known with Options.Addresses.
package kubelet

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"

	"github.com/vicinity-sched/vicinity/internal/sandbox/containerlog"
	"github.com/vicinity-sched/vicinity/internal/sandbox/process"
)

// Options says what to run.
type Options struct {
	// Client reads pods, ConfigMaps and Secrets and writes the state of containers.
	Client kubernetes.Interface
	// Kubeconfig writes a kubeconfig file with a token of a ServiceAccount and returns
	// its path.
	Kubeconfig func(ctx context.Context, namespace, serviceAccount string) (path string, err error)
	// Dir takes a directory for each pod, with its volumes.
	Dir string
	// Image is the last part of an image's name, without tag and digest. Pods whose
	// first container has such an image are run, from any registry.
	Image string
	// Program is run in the place of the image's.
	Program string
	// Addresses are names that only a cluster's DNS knows, and what stands in their
	// place in mounted ConfigMaps: "prometheus.monitoring:9090" -> "127.0.0.1:45313".
	Addresses map[string]string
	// Unplayed says that the simulated nodes leave these pods Pending
	// (cluster.Options.RealImage). Then a pod is Running when its process is, and Ready when
	// that says so. Otherwise the nodes say Running and Ready before the process starts.
	Unplayed bool
	// Ready asks the process that serves at a URL whether it is ready; nil asks /readyz.
	Ready func(ctx context.Context, url string) bool
	// Backoff is the wait before a process that has ended is begun again, doubled each
	// time up to ten times itself; 0 is a second.
	Backoff time.Duration
}

// Pod is a pod with a process.
type Pod struct {
	Namespace, Name string
	// URL is where the process serves HTTPS, with a certificate of its own.
	URL string
}

// Kubelet is what Start returns.
type Kubelet struct {
	options Options
	factory informers.SharedInformerFactory
	cancel  context.CancelFunc

	mu   sync.Mutex
	pods map[types.UID]*guest
	wg   sync.WaitGroup
}

// guest is a pod that is being run.
type guest struct {
	cancel context.CancelFunc
	pod    Pod
	// log is that of the container's last run, and previous that of the last run that has
	// ended and is followed by another.
	log, previous *containerlog.Log
}

// Start runs pods until ctx ends or Stop is called.
func Start(ctx context.Context, o Options) (*Kubelet, error) {
	if o.Backoff == 0 {
		o.Backoff = time.Second
	}
	if o.Ready == nil {
		o.Ready = readyz
	}
	k := &Kubelet{options: o, factory: informers.NewSharedInformerFactory(o.Client, 0), pods: map[types.UID]*guest{}}
	ctx, k.cancel = context.WithCancel(ctx)
	informer := k.factory.Core().V1().Pods().Informer()
	_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(object any) { k.sync(ctx, object) },
		UpdateFunc: func(_, object any) { k.sync(ctx, object) },
		DeleteFunc: k.forget,
	})
	if err != nil {
		k.cancel()
		return nil, fmt.Errorf("watching pods: %w", err)
	}
	k.factory.Start(ctx.Done())
	if !cache.WaitForCacheSync(ctx.Done(), informer.HasSynced) {
		k.Stop()
		return nil, fmt.Errorf("watching pods: %w", ctx.Err())
	}
	return k, nil
}

// Stop ends every process and waits for it.
func (k *Kubelet) Stop() {
	k.cancel()
	k.factory.Shutdown()
	k.wg.Wait()
}

// Pods returns the pods that have a process, by name.
func (k *Kubelet) Pods() []Pod {
	k.mu.Lock()
	defer k.mu.Unlock()
	var pods []Pod
	for _, g := range k.pods {
		if g.pod.URL != "" {
			pods = append(pods, g.pod)
		}
	}
	slices.SortFunc(pods, func(a, b Pod) int {
		return strings.Compare(a.Namespace+"/"+a.Name, b.Namespace+"/"+b.Name)
	})
	return pods
}

// sync begins to run a pod, or ends it.
func (k *Kubelet) sync(ctx context.Context, object any) {
	pod, ok := object.(*corev1.Pod)
	if !ok || !k.isOurs(pod) {
		return
	}
	if pod.DeletionTimestamp != nil {
		k.forget(pod)
		return
	}
	if pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed {
		k.end(pod)
		return
	}
	if pod.Spec.NodeName == "" || pod.Status.Phase != corev1.PodRunning && !k.options.Unplayed {
		return // its node has not admitted it yet
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.pods[pod.UID] != nil || ctx.Err() != nil {
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	g := &guest{cancel: cancel, pod: Pod{Namespace: pod.Namespace, Name: pod.Name}}
	k.pods[pod.UID] = g
	k.wg.Go(func() {
		defer cancel()
		k.run(ctx, pod, g)
	})
}

// forget ends the process of a pod.
func (k *Kubelet) forget(object any) {
	if gone, ok := object.(cache.DeletedFinalStateUnknown); ok {
		object = gone.Obj
	}
	pod, ok := object.(*corev1.Pod)
	if !ok {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if g := k.pods[pod.UID]; g != nil {
		g.cancel()
		delete(k.pods, pod.UID)
	}
}

// end ends the process of a pod that stays, with its log.
func (k *Kubelet) end(pod *corev1.Pod) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if g := k.pods[pod.UID]; g != nil {
		g.cancel()
	}
}

// isOurs says whether a pod's first container has the image.
func (k *Kubelet) isOurs(pod *corev1.Pod) bool {
	if len(pod.Spec.Containers) == 0 {
		return false
	}
	name := pod.Spec.Containers[0].Image
	name = name[strings.LastIndex(name, "/")+1:]
	if end := strings.IndexAny(name, ":@"); end >= 0 {
		name = name[:end]
	}
	return name == k.options.Image
}

// run runs a pod's process again and again until ctx ends.
func (k *Kubelet) run(ctx context.Context, pod *corev1.Pod, g *guest) {
	// Another pod may have the name before the process of this one has ended.
	dir := filepath.Join(k.options.Dir, pod.Namespace+"_"+pod.Name+"_"+string(pod.UID))
	defer func() { _ = os.RemoveAll(dir) }()
	wait := k.options.Backoff
	for restarts := int32(0); ; restarts++ {
		end := k.runOnce(ctx, pod, g, dir, restarts)
		again := ctx.Err() == nil && !final(pod, end)
		k.ended(g, again)
		if ctx.Err() != nil {
			return
		}
		if !again {
			k.finish(ctx, pod, end)
			return
		}
		k.report(ctx, pod, waiting(pod, end, restarts+1))
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		wait = min(2*wait, 10*k.options.Backoff)
	}
}

// runOnce runs a pod's process until it or ctx ends, and says why it ended.
func (k *Kubelet) runOnce(ctx context.Context, pod *corev1.Pod, g *guest, dir string, restarts int32) error {
	command, err := k.prepare(ctx, pod, dir)
	if err != nil {
		return configError{err}
	}
	// It is stopped below, by a signal: it may have a lease to give back. The name of a variable
	// may begin as options do.
	words := slices.Concat([]string{"--"}, command.env, []string{k.options.Program}, command.args)
	log := containerlog.New(maxLog, time.Now)
	child, err := process.StartTo(context.WithoutCancel(ctx), pod.Name, log, "env", words...)
	if err != nil {
		return configError{err}
	}
	k.began(g, command.url, log)
	k.reportReady(ctx, child, pod, command.url, restarts)
	select {
	case <-ctx.Done():
		child.Stop()
		return ctx.Err()
	case <-child.Done():
		return child.Err()
	}
}

// configError is what kept a process from starting.
type configError struct{ error }

// Unwrap returns the cause.
func (e configError) Unwrap() error { return e.error }
