//go:build linux

package realmeshes

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// onWire is what was seen on the wire in one direction.
type onWire struct {
	packets int
	frames  int // bytes of Ethernet frames, without check sum, preamble and gap
	payload int // bytes that TCP carries: TLS records, or plain text
}

// flow is the traffic of a server's port.
type flow struct{ toServer, toClient onWire }

// wire watches the packets of a node's device.
type wire struct {
	socket int
	mu     sync.Mutex
	flows  map[uint16]flow // by the server's port, the lower one
	all    int             // bytes of frames in both directions
}

// watch returns the wire of a node, nil where a node has none.
func watch(t *testing.T, n *node) *wire {
	t.Helper()
	if n.namespace == "" {
		return nil
	}
	w := &wire{flows: map[uint16]flow{}}
	if err := n.within(w.open); err != nil {
		t.Fatalf("watching %s: %v", device, err)
	}
	var wg sync.WaitGroup
	done := make(chan struct{})
	wg.Go(func() { w.read(done) })
	t.Cleanup(func() {
		close(done)
		wg.Wait()
		if err := unix.Close(w.socket); err != nil {
			t.Error(err)
		}
	})
	return w
}

func (w *wire) open() error {
	link, err := net.InterfaceByName(device)
	if err != nil {
		return err
	}
	all := htons(unix.ETH_P_ALL)
	if w.socket, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, int(all)); err != nil {
		return err
	}
	wait := unix.NsecToTimeval(int64(100 * time.Millisecond))
	return errors.Join(
		unix.SetsockoptInt(w.socket, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 64<<20),
		unix.SetsockoptTimeval(w.socket, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &wait),
		unix.Bind(w.socket, &unix.SockaddrLinklayer{Protocol: all, Ifindex: link.Index}),
	)
}

func htons(v uint16) uint16 { return binary.NativeEndian.Uint16([]byte{byte(v >> 8), byte(v)}) }

func (w *wire) read(done <-chan struct{}) {
	headers := make([]byte, 128)
	for {
		n, _, err := unix.Recvfrom(w.socket, headers, unix.MSG_TRUNC)
		if err != nil { // nothing for a while, or interrupted
			select {
			case <-done:
				return
			default:
				continue
			}
		}
		w.add(headers, n)
	}
}

const ethernet = 14

// add counts a frame of n bytes, which begins with headers.
func (w *wire) add(headers []byte, n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all += n
	packet := headers[ethernet:]
	if binary.BigEndian.Uint16(headers[ethernet-2:]) != unix.ETH_P_IP || packet[9] != unix.IPPROTO_TCP {
		return
	}
	ipHeader := int(packet[0]&0xf) * 4
	segment := packet[ipHeader:]
	from, to := binary.BigEndian.Uint16(segment), binary.BigEndian.Uint16(segment[2:])
	one := onWire{packets: 1, frames: n, payload: int(binary.BigEndian.Uint16(packet[2:])) - ipHeader - int(segment[12]>>4)*4}
	f := w.flows[min(from, to)]
	into := &f.toServer
	if from < to {
		into = &f.toClient
	}
	*into = onWire{into.packets + one.packets, into.frames + one.frames, into.payload + one.payload}
	w.flows[min(from, to)] = f
}

// of returns what has passed to and from a server's port.
func (w *wire) of(port uint16) flow {
	if w == nil {
		return flow{}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.flows[port]
}

// check compares with the counters of the device, which nobody else of us reads: the
// watcher has missed nothing.
func (w *wire) check(t *testing.T, n *node) {
	t.Helper()
	if w == nil {
		return
	}
	eventually(t, func() error {
		sent, received := n.onTheWire(t)
		w.mu.Lock()
		defer w.mu.Unlock()
		if uint64(w.all) != sent+received {
			return fmt.Errorf("%d bytes were seen on the wire; its device has counted %d", w.all, sent+received)
		}
		return nil
	})
}
