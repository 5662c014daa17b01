//go:build linux

package realmeshes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// device is the network device of each node.
const device = "eth0"

// node is a network namespace with one device, which leads to the other node. Where
// namespaces are not to be had, it is a loopback address of this machine.
type node struct {
	address   string
	namespace string // "" without one
}

// newNodes returns two nodes that reach each other. On the wire between them packets are as
// on a real network: each has its own headers (no segmentation offload), and nothing but the
// tests' traffic is there (no IPv6, no ARP).
func newNodes(t *testing.T) (a, b *node) {
	t.Helper()
	if err := namespacesAllowed(); err != nil {
		t.Logf("nodes are loopback addresses, without counters of the wire: %v", err)
		return &node{address: "127.0.53.1"}, &node{address: "127.0.53.2"}
	}
	removeStale(t)
	prefix := fmt.Sprintf("%s%d-", namespaces, os.Getpid())
	a = &node{address: "192.0.2.1", namespace: prefix + "a"} // TEST-NET-1 of RFC 5737
	b = &node{address: "192.0.2.2", namespace: prefix + "b"}
	for _, n := range []*node{a, b} {
		ip(t, "netns", "add", n.namespace)
		t.Cleanup(func() { ip(t, "netns", "del", n.namespace) })
		run(t, "ip", "netns", "exec", n.namespace, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1",
			"net.ipv4.tcp_rmem=4096 65536 131072") // no more packets at once than a device takes
	}
	ip(t, "link", "add", device, "netns", a.namespace, "type", "veth", "peer", "name", device, "netns", b.namespace)
	for i, n := range []*node{a, b} {
		mac := fmt.Sprintf("02:00:00:00:00:0%d", i+1)
		ip(t, "-n", n.namespace, "link", "set", device, "address", mac, "gso_max_segs", "1", "arp", "off")
		ip(t, "-n", n.namespace, "address", "add", n.address+"/24", "dev", device)
		ip(t, "-n", n.namespace, "link", "set", device, "up")
		ip(t, "-n", n.namespace, "link", "set", "lo", "up")
		other := []*node{b, a}[i]
		ip(t, "-n", n.namespace, "neighbour", "add", other.address, "lladdr", fmt.Sprintf("02:00:00:00:00:0%d", 2-i), "dev", device)
	}
	return a, b
}

// namespacesAllowed says why there can be no network namespaces.
func namespacesAllowed() error {
	if os.Geteuid() != 0 {
		return errors.New("network namespaces need root")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		return fmt.Errorf("network namespaces need iproute2: %w", err)
	}
	probe := fmt.Sprintf("%s%d-probe", namespaces, os.Getpid())
	if out, err := exec.Command("ip", "netns", "add", probe).CombinedOutput(); err != nil {
		return fmt.Errorf("adding a network namespace: %s", strings.TrimSpace(string(out)))
	}
	return exec.Command("ip", "netns", "del", probe).Run()
}

// namespaces is what the names of the tests' namespaces begin with; a process id follows.
const namespaces = "vicinity-realmeshes-"

// removeStale removes the namespaces of tests that were killed.
func removeStale(t *testing.T) {
	t.Helper()
	found, err := filepath.Glob(filepath.Join("/run/netns", namespaces+"*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range found {
		pid, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(path), namespaces), "-")
		if _, err := os.Stat(filepath.Join("/proc", pid)); errors.Is(err, fs.ErrNotExist) {
			ip(t, "netns", "del", filepath.Base(path))
		}
	}
}

func ip(t *testing.T, args ...string) string { t.Helper(); return run(t, "ip", args...) }

func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v: %s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// within makes calls, up to the first that fails, on a thread that is in the node's
// namespace. Sockets that they open and processes that they start stay there.
func (n *node) within(calls ...func() error) error {
	all := func() error {
		for _, call := range calls {
			if err := call(); err != nil {
				return err
			}
		}
		return nil
	}
	if n.namespace == "" {
		return all()
	}
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // for good: the thread ends with the goroutine
		done <- func() error {
			file, err := os.Open(filepath.Join("/run/netns", n.namespace))
			if err != nil {
				return err
			}
			defer file.Close()
			if err := unix.Setns(int(file.Fd()), unix.CLONE_NEWNET); err != nil {
				return fmt.Errorf("entering %s: %w", n.namespace, err)
			}
			return all()
		}()
	}()
	return <-done
}

// listen listens on an address of the node.
func (n *node) listen(t *testing.T, address string) net.Listener {
	t.Helper()
	var l net.Listener
	err := n.within(func() (err error) { l, err = net.Listen("tcp", address); return err })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// dial connects from the node.
func (n *node) dial(ctx context.Context, network, address string) (c net.Conn, err error) {
	err = n.within(func() (err error) { c, err = (&net.Dialer{}).DialContext(ctx, network, address); return err })
	return c, err
}

// client is an HTTP client on the node.
func (n *node) client(t *testing.T) *http.Client {
	transport := &http.Transport{DialContext: n.dial}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 30 * time.Second}
}

// forward makes an address of the node reachable from outside of its namespace, so that
// a scrape can be made from there. It returns where.
func (n *node) forward(t *testing.T, address string) string {
	t.Helper()
	if n.namespace == "" {
		return address
	}
	outside, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	t.Cleanup(func() { outside.Close(); all.Wait() })
	all.Go(func() {
		for {
			from, err := outside.Accept()
			if err != nil {
				return
			}
			all.Go(func() { n.join(t.Context(), from, address) })
		}
	})
	return outside.Addr().String()
}

// join copies between a connection and an address of the node until either ends.
func (n *node) join(ctx context.Context, from net.Conn, address string) {
	defer hangUp(from)
	to, err := n.dial(ctx, "tcp", address)
	if err != nil {
		return
	}
	defer hangUp(to)
	defer context.AfterFunc(ctx, func() { hangUp(from); hangUp(to) })()
	back := make(chan struct{})
	go func() { defer close(back); _, _ = io.Copy(from, to); hangUp(from) }()
	_, _ = io.Copy(to, from)
	hangUp(to)
	<-back
}

// hangUp closes a connection, whose other end notices what is missing.
func hangUp(c io.Closer) { _ = c.Close() }

// onTheWire is what the node's device has counted, Ethernet headers included.
func (n *node) onTheWire(t *testing.T) (sent, received uint64) {
	t.Helper()
	var links []struct {
		Stats64 struct {
			Rx, Tx struct{ Bytes uint64 }
		}
	}
	if err := json.Unmarshal([]byte(ip(t, "-n", n.namespace, "-s", "-j", "link", "show", "dev", device)), &links); err != nil {
		t.Fatal(err)
	}
	return links[0].Stats64.Tx.Bytes, links[0].Stats64.Rx.Bytes
}
