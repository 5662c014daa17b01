package schedperf

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/kubernetes/pkg/scheduler"

	"github.com/vicinity-sched/vicinity/plugins/trafficlocality"
	"github.com/vicinity-sched/vicinity/test/schedperf/measure"
	"github.com/vicinity-sched/vicinity/test/schedperf/observe"
)

// cluster is one running cluster and what was created there.
type cluster struct {
	run       measure.Run
	size      size
	client    kubernetes.Interface
	scheduler *scheduler.Scheduler
	bound     *observe.Counter
	mesh      *mesh

	preparation *trafficlocality.Preparation

	replicaSets []*appsv1.ReplicaSet // by workload
	jobs        []*batchv1.Job
	blocks      int // that were started
	created     int // pods of the mesh, which take turns
}

// size is how much a run creates.
type size struct {
	workloads int
	placed    int32 // pods of each workload before the first block
	wanted    int32 // that each controller wants
	block     int   // pods of a measured block
	warmUp    int   // pods that a profile places before its block
	sequence  int   // pods that are alike and follow each other
}

const (
	// catchUp is within how many cycles the plugin has looked again at whatever the
	// other profile has placed.
	catchUp   = 60
	perSample = 600
	perFull   = 240 // with all nodes scored, which takes several times as long
	alike     = 60
)

// sizeOf returns what fits the cluster of a run, however small.
func sizeOf(r measure.Run) size {
	s := size{workloads: min(workloads, 2*r.Nodes), placed: 5, wanted: 40, sequence: 1}
	s.block = min(perSample, r.Nodes)
	if r.AllNodes {
		s.block = min(perFull, r.Nodes)
	}
	s.warmUp = min(catchUp, r.Nodes/2)
	if r.Batches() {
		s.sequence, s.wanted = min(alike, s.block/2), 80
	}
	if r.Full {
		s.wanted = s.placed
	}
	return s
}

// writers is how many requests are under way at once, as in scheduler_perf.
const writers = 30

// each calls do for 0 to n-1, writers of them at once, and returns the first error.
func each(ctx context.Context, n int, do func(ctx context.Context, i int) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(writers)
	for i := range n {
		if ctx.Err() != nil {
			break
		}
		group.Go(func() error { return do(ctx, i) })
	}
	return group.Wait()
}

// populate creates nodes, workloads, and the pods that are there before the first
// block, which the plugin places where it has a part in the run.
func (c *cluster) populate(ctx context.Context) error {
	err := each(ctx, c.run.Nodes, func(ctx context.Context, i int) error {
		_, err := c.client.CoreV1().Nodes().Create(ctx, newNode(i), metav1.CreateOptions{})
		return err
	})
	if err != nil {
		return fmt.Errorf("creating nodes: %w", err)
	}
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}
	if _, err := c.client.CoreV1().Namespaces().Create(ctx, ns, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("creating the namespace: %w", err)
	}
	if err := c.createControllers(ctx); err != nil {
		return err
	}
	// As in vicinity-scheduler, no pod is scheduled until the plugins have read the cluster.
	select {
	case <-c.preparation.Begin():
	case <-ctx.Done():
		return fmt.Errorf("waiting until the plugins are prepared: %w", context.Cause(ctx))
	}
	pods := c.initialPods(fillProfile)
	return c.schedule(ctx, pods, len(pods))
}

func (c *cluster) createControllers(ctx context.Context) error {
	if !c.run.HasMesh() {
		return nil
	}
	c.replicaSets = make([]*appsv1.ReplicaSet, c.size.workloads)
	err := each(ctx, c.size.workloads, func(ctx context.Context, i int) error {
		name := c.mesh.names[i]
		if _, err := c.client.CoreV1().Services(namespace).Create(ctx, newService(name), metav1.CreateOptions{}); err != nil {
			return err
		}
		var err error
		c.replicaSets[i], err = c.client.AppsV1().ReplicaSets(namespace).Create(ctx, newReplicaSet(name, c.size.wanted), metav1.CreateOptions{})
		return err
	})
	if err != nil {
		return fmt.Errorf("creating workloads: %w", err)
	}
	if c.run.Pods != measure.Jobs {
		return nil
	}
	c.jobs = make([]*batchv1.Job, jobs)
	err = each(ctx, jobs, func(ctx context.Context, i int) error {
		var err error
		c.jobs[i], err = c.client.BatchV1().Jobs(namespace).Create(ctx, newJob("job-"+strconv.Itoa(i)), metav1.CreateOptions{})
		return err
	})
	if err != nil {
		return fmt.Errorf("creating jobs: %w", err)
	}
	return nil
}

// jobs is how many Jobs there are, which take turns.
const jobs = 100

// initialPods returns the pods that are there before the first block.
func (c *cluster) initialPods(profile string) []*corev1.Pod {
	n := c.size.workloads * int(c.size.placed)
	pods := make([]*corev1.Pod, n)
	for i := range pods {
		if c.run.HasMesh() {
			w := i % c.size.workloads
			pods[i] = podOf(c.mesh.names[w], c.replicaSets[w], profile)
		} else {
			pods[i] = barePod(profile)
		}
	}
	return pods
}

// nextPods returns the next n pods for a block: workloads and Jobs take turns.
func (c *cluster) nextPods(n int, profile string, byHand bool) []*corev1.Pod {
	c.blocks++
	pods := make([]*corev1.Pod, n)
	for i := range pods {
		turn := (c.created + i) / c.size.sequence
		switch c.run.Pods {
		case measure.Bare:
			pods[i] = barePod(profile)
		case measure.Jobs:
			pods[i] = podOfJob(c.jobs[turn%len(c.jobs)], profile)
		default:
			w := turn % c.size.workloads
			pods[i] = podOf(c.mesh.names[w], c.replicaSets[w], profile)
			if byHand {
				drawTo(pods[i], c.mesh.peers[w])
			}
		}
		if pods[i].Labels == nil {
			pods[i].Labels = map[string]string{}
		}
		// Pods of different blocks would otherwise be alike, which only matters for
		// sharing scores: a profile shares none with another.
		pods[i].Labels[blockLabel] = strconv.Itoa(c.blocks)
	}
	c.created += n
	return pods
}

// boundWithin is how long the pods of a block may take to be bound.
const boundWithin = 10 * time.Minute

// schedule creates pods, in sequences of which each begins when the one before is
// created, and waits until all are bound.
func (c *cluster) schedule(ctx context.Context, pods []*corev1.Pod, sequence int) error {
	ctx, cancel := context.WithTimeout(ctx, boundWithin)
	defer cancel()
	done := c.bound.Expect(len(pods))
	for start := 0; start < len(pods); start += sequence {
		part := pods[start:min(start+sequence, len(pods))]
		err := each(ctx, len(part), func(ctx context.Context, i int) error {
			_, err := c.client.CoreV1().Pods(namespace).Create(ctx, part[i], metav1.CreateOptions{})
			return err
		})
		if err != nil {
			return fmt.Errorf("creating pods: %w", err)
		}
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("waiting for %d pods: %d are not bound: %w", len(pods), c.bound.Missing(), context.Cause(ctx))
	}
}

// clean deletes the pods of the latest block and waits until the scheduler has
// forgotten them.
func (c *cluster) clean(ctx context.Context, left int) error {
	now := int64(0)
	err := c.client.CoreV1().Pods(namespace).DeleteCollection(ctx, metav1.DeleteOptions{GracePeriodSeconds: &now},
		metav1.ListOptions{LabelSelector: blockLabel})
	if err != nil {
		return fmt.Errorf("deleting a block's pods: %w", err)
	}
	err = wait.PollUntilContextTimeout(ctx, 50*time.Millisecond, boundWithin, true, func(context.Context) (bool, error) {
		n, err := c.scheduler.Cache.PodCount()
		return n <= left, err
	})
	if err != nil {
		return fmt.Errorf("waiting until a block's pods are gone: %w", err)
	}
	return nil
}
