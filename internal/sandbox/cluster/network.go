package cluster

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"

	"k8s.io/apimachinery/pkg/types"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/apiserver/pkg/server/egressselector"
)

// network is what the API server reaches of the cluster: ports of pods that are programs of
// this process, and one kubelet for all nodes. Simulated addresses are of no real network, so
// that connections to anything else are refused.
type network struct {
	kubelet string // the address that it listens on

	mu       sync.Mutex
	programs map[program]string // the addresses that they listen on
	ips      map[string]types.NamespacedName
	logs     http.HandlerFunc // of containers; nil: there are none
}

// program is a port of a pod.
type program struct {
	pod  types.NamespacedName
	port int32
}

func newNetwork() *network {
	return &network{programs: map[program]string{}, ips: map[string]types.NamespacedName{}}
}

// add makes a port of a pod lead to an address of this machine.
func (n *network) add(pod types.NamespacedName, ip string, port int32, address string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.ips[ip] = pod
	n.programs[program{pod, port}] = address
}

// serveLogs sets the handler for logs.
func (n *network) serveLogs(handler http.HandlerFunc) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.logs = handler
}

// dialPod connects to a port of a pod.
func (n *network) dialPod(ctx context.Context, pod types.NamespacedName, port int32) (net.Conn, error) {
	n.mu.Lock()
	address, ok := n.programs[program{pod, port}]
	n.mu.Unlock()
	if !ok {
		return nil, fmt.Errorf("nothing listens on port %d of pod %s", port, pod)
	}
	return (&net.Dialer{}).DialContext(ctx, "tcp", address)
}

// dial connects to the address of a pod, or of this machine.
func (n *network) dial(ctx context.Context, _, address string) (net.Conn, error) {
	host, portText, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	n.mu.Lock()
	pod, ok := n.ips[host]
	n.mu.Unlock()
	if port, err := strconv.ParseInt(portText, 10, 32); ok && err == nil {
		return n.dialPod(ctx, pod, int32(port))
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return nil, fmt.Errorf("no route to %s: nothing runs in simulated pods", host)
	}
	return (&net.Dialer{}).DialContext(ctx, "tcp", address)
}

// lookup returns what connects to kubelets, whatever their node's address.
func (n *network) lookup(egressselector.NetworkContext) (utilnet.DialFunc, error) {
	return func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", n.kubelet)
	}, nil
}

// carry has a transport of the API server go over the network.
func (n *network) carry(t *http.Transport) { t.DialContext = n.dial }
