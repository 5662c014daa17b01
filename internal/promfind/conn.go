package promfind

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/streaming/pkg/httpstream"
)

// conn is a connection to a port of a pod. It implements net.Conn, without deadlines: who uses
// it ends it by closing it.
type conn struct {
	over         httpstream.Connection
	data, errors httpstream.Stream
	failed       chan struct{} // closed once the other end has said all that is wrong
	failure      error         // read after failed
	closeOnce    sync.Once
	whenClosed   func()
}

// newConn opens the two streams of a connection: one for its bytes, one for what the node says
// when it cannot connect. whenClosed is called once.
func newConn(over httpstream.Connection, port int32, id int, whenClosed func()) (*conn, error) {
	problems, err := over.CreateStream(streamHeaders(corev1.StreamTypeError, port, id))
	if err != nil {
		return nil, fmt.Errorf("opening a stream: %w", err)
	}
	_ = problems.Close() // nothing is written to it
	data, err := over.CreateStream(streamHeaders(corev1.StreamTypeData, port, id))
	if err != nil {
		over.RemoveStreams(problems)
		return nil, fmt.Errorf("opening a stream: %w", err)
	}
	c := &conn{over: over, data: data, errors: problems, failed: make(chan struct{}), whenClosed: whenClosed}
	go func() { // ends with the stream, which Close resets
		defer close(c.failed)
		if said, err := io.ReadAll(io.LimitReader(problems, maxAnswer)); err == nil && len(said) > 0 {
			c.failure = errors.New(string(said))
		}
	}()
	return c, nil
}

// lastWords is how long the end of the bytes waits for its reason.
const lastWords = time.Second

// Read implements net.Conn.
func (c *conn) Read(p []byte) (int, error) {
	n, err := c.data.Read(p)
	if err == nil || n > 0 {
		return n, err
	}
	wait := time.NewTimer(lastWords)
	defer wait.Stop()
	select {
	case <-c.failed:
		if c.failure != nil {
			return 0, c.failure
		}
	case <-wait.C:
	}
	return 0, err
}

// Write implements net.Conn.
func (c *conn) Write(p []byte) (int, error) { return c.data.Write(p) }

// Close implements net.Conn.
func (c *conn) Close() error {
	c.closeOnce.Do(func() {
		// Of streams whose connection has gone, there is nothing left to reset.
		_, _ = c.data.Reset(), c.errors.Reset()
		c.over.RemoveStreams(c.data, c.errors)
		c.whenClosed()
	})
	return nil
}

// address is where neither end is on this machine's network.
type address struct{}

func (address) Network() string { return "portforward" }
func (address) String() string  { return "portforward" }

// LocalAddr implements net.Conn.
func (c *conn) LocalAddr() net.Addr { return address{} }

// RemoteAddr implements net.Conn.
func (c *conn) RemoteAddr() net.Addr { return address{} }

// SetDeadline implements net.Conn, and does nothing.
func (c *conn) SetDeadline(time.Time) error { return nil }

// SetReadDeadline implements net.Conn, and does nothing.
func (c *conn) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline implements net.Conn, and does nothing.
func (c *conn) SetWriteDeadline(time.Time) error { return nil }
