package integration

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"

	"github.com/vicinity-sched/vicinity/internal/sandbox"
	"github.com/vicinity-sched/vicinity/internal/sandbox/cluster"
)

// shared is what the tests of this process share. A process can start one
// kube-apiserver, and binaries take long to link.
var shared control

// control makes each of its parts when the first test asks for it: a test that runs
// alone waits only for what it needs.
type control struct {
	mu       sync.Mutex
	dir      string // temporary; has all files of the parts
	programs map[string]error
	cluster  *cluster.Cluster
	stock    *sandbox.Process
	startErr error
}

// directory returns the temporary directory. The caller holds mu.
func (c *control) directory() (_ string, err error) {
	if c.dir == "" {
		c.dir, err = os.MkdirTemp("", "vicinity-integration-")
	}
	return c.dir, err
}

// program builds a program of cmd and returns its path. All are in one directory.
func (c *control) program(name string) (string, error) {
	return c.build(name, ".", "./cmd/"+name)
}

// helm builds the helm that hack/helm tests the chart with.
func (c *control) helm() (string, error) {
	return c.build("helm", filepath.Join("hack", "helm"), "helm.sh/helm/v4/cmd/helm")
}

// build builds a program of the module in dir and returns its path.
func (c *control) build(name, dir, pkg string) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	into, err := c.directory()
	if err != nil {
		return "", err
	}
	path := filepath.Join(into, name)
	if err, built := c.programs[name]; built {
		return path, err
	}
	build := exec.Command("go", "build", "-o", path, pkg)
	build.Dir = filepath.Join("..", "..", dir)
	if out, failed := build.CombinedOutput(); failed != nil {
		err = fmt.Errorf("building %s: %w\n%s", name, failed, out)
	}
	if c.programs == nil {
		c.programs = map[string]error{}
	}
	c.programs[name] = err
	return path, err
}

// start starts the cluster and the stock scheduler.
func (c *control) start() (*cluster.Cluster, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cluster == nil && c.startErr == nil {
		c.startErr = c.startOnce()
	}
	return c.cluster, c.startErr
}

func (c *control) startOnce() error {
	dir, err := c.directory()
	if err != nil {
		return err
	}
	log, err := os.Create(filepath.Join(dir, "libraries.log"))
	if err != nil {
		return err
	}
	sandbox.LogTo(log)
	c.cluster, err = cluster.Start(context.Background(), cluster.Options{
		Dir: filepath.Join(dir, "cluster"), Nodes: cluster.Zones(3, 2, "4", "16Gi"),
	})
	if err != nil {
		return fmt.Errorf("starting the cluster: %w", err)
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	c.stock, err = sandbox.StartProcess(context.Background(), "kube-scheduler", c.stockLog(), "env", asKubeScheduler+"=1", self,
		"--kubeconfig="+c.cluster.Kubeconfig(), "--leader-elect-lease-duration=2m", "--leader-elect-renew-deadline=90s", "--secure-port=0", "--kube-api-qps=500", "--kube-api-burst=1000")
	return err
}

// stockLog is the file with the output of the stock scheduler.
func (c *control) stockLog() string { return filepath.Join(c.dir, "kube-scheduler.log") }

// stop ends what was started and removes the files.
func (c *control) stop() error {
	var errs []error
	if c.stock != nil {
		errs = append(errs, c.stock.Err())
		c.stock.Stop()
	}
	if c.cluster != nil {
		errs = append(errs, c.cluster.Stop())
	}
	if c.dir != "" {
		errs = append(errs, os.RemoveAll(c.dir))
	}
	return errors.Join(errs...)
}
