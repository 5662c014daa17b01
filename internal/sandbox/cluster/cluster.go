// Package cluster is an embedded Kubernetes cluster: etcd, kube-apiserver with
// RBAC, the controllers an application needs, and simulated nodes whose pods
// become Running, all in the calling process. It runs no scheduler, no mesh and
// no container; a program of the process can be published as one.
package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// Options says what a cluster is made of.
type Options struct {
	// Dir holds etcd's data, certificates and kubeconfig files. Empty: a
	// temporary directory that Stop removes.
	Dir string
	// Nodes are the simulated nodes.
	Nodes []NodeSpec
	// RealImage is the last part of the name of an image whose pods somebody else runs, as
	// internal/sandbox/kubelet does: the simulated nodes leave them Pending. Empty: none.
	RealImage string
	// Version is the minor version of Kubernetes that the API server emulates,
	// e.g. "1.36"; empty: the newest.
	Version string
	// Log receives a line for each step of the start; nil: nobody does.
	Log io.Writer
}

// NodeSpec is one simulated node.
type NodeSpec struct {
	Name, Zone, Region string
	CPU, Memory        resource.Quantity
	// Pods is how many pods the node takes (default 110).
	Pods int64
}

// Zones returns nodesPerZone nodes in each of a number of zones of one region:
// zone-a-1, zone-a-2, ..., zone-b-1, ... CPU and memory are quantities; a
// malformed one panics, since they are constants of the caller.
func Zones(zones, nodesPerZone int, cpu, memory string) []NodeSpec {
	var nodes []NodeSpec
	for z := range zones {
		zone := "zone-" + string(rune('a'+z))
		for n := range nodesPerZone {
			nodes = append(nodes, NodeSpec{
				Name: fmt.Sprintf("%s-%d", zone, n+1), Zone: zone, Region: "region-1",
				CPU: resource.MustParse(cpu), Memory: resource.MustParse(memory),
			})
		}
	}
	return nodes
}

// Cluster is a running cluster.
type Cluster struct {
	dir        string
	ours       bool // dir is removed by Stop
	kubeconfig string
	config     *rest.Config
	client     kubernetes.Interface
	network    *network

	cancel  context.CancelFunc // everything but etcd
	running sync.WaitGroup
	etcd    *etcdServer
	mu      sync.Mutex
	errs    []error
}

// startTimeout is how long the API server may take; it is ready within seconds
// even on two busy cores.
const startTimeout = 2 * time.Minute

// Start starts a cluster and returns when its nodes are Ready and the default
// namespace can take pods. A process can do this once: kube-apiserver keeps
// feature gates and metrics in package variables.
func Start(ctx context.Context, o Options) (_ *Cluster, err error) {
	c := &Cluster{dir: o.Dir, network: newNetwork()}
	if c.dir == "" {
		if c.dir, err = os.MkdirTemp("", "vicinity-cluster-"); err != nil {
			return nil, fmt.Errorf("making the cluster's directory: %w", err)
		}
		c.ours = true
	} else if err := os.MkdirAll(c.dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the cluster's directory: %w", err)
	}
	runCtx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	c.cancel = cancel
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Stop())
		}
	}()
	step := func(what string) {
		if o.Log != nil {
			fmt.Fprintln(o.Log, what)
		}
	}
	startCtx, done := context.WithTimeout(ctx, startTimeout)
	defer done()

	step("starting etcd")
	if c.etcd, err = startEtcd(startCtx, c.dir); err != nil {
		return nil, fmt.Errorf("starting etcd: %w", err)
	}
	step("starting kube-apiserver")
	if err := c.startKubelet(runCtx); err != nil {
		return nil, fmt.Errorf("starting the kubelet: %w", err)
	}
	if err := c.startAPIServer(startCtx, runCtx, o.Version); err != nil {
		return nil, fmt.Errorf("starting kube-apiserver: %w", err)
	}
	step("starting controllers")
	if err := c.startControllers(runCtx); err != nil {
		return nil, fmt.Errorf("starting controllers: %w", err)
	}
	step("adding nodes")
	if err := c.startNodes(startCtx, runCtx, o.Nodes, o.RealImage); err != nil {
		return nil, fmt.Errorf("starting nodes: %w", err)
	}
	if err := c.waitReady(startCtx, len(o.Nodes)); err != nil {
		return nil, fmt.Errorf("waiting for the cluster: %w", err)
	}
	return c, nil
}

// Kubeconfig is the path of the administrator's kubeconfig file.
func (c *Cluster) Kubeconfig() string { return c.kubeconfig }

// RESTConfig returns a copy of the administrator's client configuration.
func (c *Cluster) RESTConfig() *rest.Config { return rest.CopyConfig(c.config) }

// Client is the administrator's client.
func (c *Cluster) Client() kubernetes.Interface { return c.client }

// Stop ends everything that Start began and waits for it. It returns what went
// wrong since.
func (c *Cluster) Stop() error {
	c.cancel()
	c.running.Wait()
	if c.etcd != nil {
		c.etcd.stop()
		c.etcd = nil
	}
	if c.ours {
		c.failed(os.RemoveAll(c.dir))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return errors.Join(c.errs...)
}

func (c *Cluster) failed(err error) {
	if err == nil || errors.Is(err, context.Canceled) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.errs = append(c.errs, err)
}
