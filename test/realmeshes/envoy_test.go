//go:build linux

package realmeshes

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// envoyVariable has the path of the Envoy that is tested.
const envoyVariable = "VICINITY_ENVOY"

// lab is two nodes with the wire between them.
type lab struct {
	client, server *node
	wire           *wire
	lastPort       uint16
}

// newLab skips the test without an Envoy.
func newLab(t *testing.T) *lab {
	t.Helper()
	if os.Getenv(envoyVariable) == "" {
		t.Skipf("there is no Envoy: `make real-meshes` installs one and sets %s to its path", envoyVariable)
	}
	l := &lab{lastPort: 20_000} // below those that connections come from
	l.client, l.server = newNodes(t)
	l.wire = watch(t, l.client)
	return l
}

// port returns one that is in use nowhere.
func (l *lab) port() uint16 { l.lastPort++; return l.lastPort }

// envoy is a running Envoy.
type envoy struct {
	admin  string // its address within the node
	client *http.Client
}

// start starts an Envoy on a node and waits until it listens. The bootstrap may have an admin
// interface; otherwise it gets one.
func (l *lab) start(t *testing.T, n *node, name string, bootstrap object) *envoy {
	t.Helper()
	e := &envoy{admin: at("127.0.0.1", l.port()), client: n.client(t)}
	if admin, ok := bootstrap["admin"].(string); ok {
		e.admin = admin
	}
	bootstrap["admin"] = object{"address": socketAddress(e.admin)}
	text, err := json.MarshalIndent(bootstrap, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), name+".json")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	command := exec.Command(os.Getenv(envoyVariable), "-c", path, "--disable-hot-restart", "--concurrency", "1", "-l", "error", "--file-flush-interval-msec", "100")
	output := &bytes.Buffer{}
	command.Stdout, command.Stderr = output, output
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // also when the tests are killed
	started, ended := make(chan struct{}), make(chan struct{})
	var result error
	go func() {
		defer close(ended)
		runtime.LockOSThread() // whose death the signal is about
		result = n.within(func() error {
			defer close(started)
			return command.Start()
		}, command.Wait)
	}()
	<-started
	t.Cleanup(func() {
		if command.Process != nil {
			_ = command.Process.Signal(syscall.SIGTERM) // an error is that it has ended
		}
		<-ended
		if t.Failed() && output.Len() > 0 {
			t.Logf("what %s said:\n%s", name, output)
		}
	})
	eventually(t, func() error {
		select {
		case <-ended:
			t.Fatalf("%s does not run: %v\n%s", name, result, output)
		default:
		}
		_, err := e.get(t.Context(), "/ready")
		return err
	})
	return e
}

// get asks the admin interface.
func (e *envoy) get(ctx context.Context, path string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+e.admin+path, nil)
	if err != nil {
		return "", err
	}
	response, err := e.client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("GET %s: %s: %s", path, response.Status, text)
	}
	return string(text), err
}

// stats returns Envoy's counters and gauges by their full names.
func (e *envoy) stats(ctx context.Context) (map[string]int, error) {
	text, err := e.get(ctx, "/stats")
	if err != nil {
		return nil, err
	}
	all := map[string]int{}
	for line := range strings.Lines(text) {
		i := strings.LastIndex(line, ": ")
		if i < 0 {
			continue
		}
		if n, err := strconv.Atoi(strings.TrimSpace(line[i+2:])); err == nil { // no text and no histogram
			all[line[:i]] = n
		}
	}
	return all, nil
}

// version is what Envoy calls its version, such as 1.40.0.
func (e *envoy) version(t *testing.T) string {
	t.Helper()
	text, err := e.get(t.Context(), "/server_info")
	if err != nil {
		t.Fatal(err)
	}
	var info struct{ Version string }
	if err := json.Unmarshal([]byte(text), &info); err != nil {
		t.Fatal(err)
	}
	return strings.Split(info.Version, "/")[1] // commit, version, state, kind of build, TLS library
}

// eventually waits for a condition.
func eventually(t *testing.T, condition func() error) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		err := condition()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("after 30 s: %v", err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}
