package manual

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/vicinity-sched/vicinity/internal/doccommands"
)

// troubleshooting is the page whose commands are typed into a terminal, each path with
// its cause planted.
const troubleshooting = "docs/troubleshooting.md"

// path is what a block of commands on that page is for.
type path struct {
	section string // of the page; the blocks of a section have one path each, in order
	// again is set where the block is that of the path before, with another cause.
	again bool
	// cause plants it, in the same shell; nothing is planted where the sandbox has it.
	cause string
	// sees is what is then on the screen, in the words of the page.
	sees []string
	// holds, if there is one, says what is wrong with the figures on the screen.
	holds func(screen string) error
	// cured takes the cause away.
	cured string
}

// reader types what the page says.
type reader struct {
	*terminal
	page string // its text
}

// troubleshoot types the commands of the page.
func (m *manual) troubleshoot(t *testing.T, page []doccommands.Block) {
	if _, err := exec.LookPath("tmux"); err != nil {
		t.Skip("tmux is not installed: the page's commands are typed into a terminal")
	}
	text, err := os.ReadFile(filepath.Join("../..", troubleshooting))
	if err != nil {
		t.Fatal(err)
	}
	others := httptest.NewServer(otherServers(t, m.prometheus))
	t.Cleanup(others.Close)
	dir := m.directory(t, page)
	t.Cleanup(func() { m.restore(t) })
	r := &reader{newTerminal(t, dir, append(m.environment(dir), "TOOLS="+m.tools)), string(text)}
	r.do(t, `helm install vicinity charts/vicinity --namespace vicinity-system --create-namespace`)
	r.do(t, stable)
	left := paths(others.URL)
	outputs := doccommands.Outputs(page)
	for i, b := range page {
		if b.Kind != doccommands.Shell {
			continue
		}
		if len(left) == 0 || left[0].section != b.Section {
			t.Fatalf("%s: the section %q has another number of blocks than the test has paths", b.At(), b.Section)
		}
		for first := true; first || len(left) > 0 && left[0].again; first = false {
			r.follow(t, left[0], b, outputs[i])
			left = left[1:]
		}
	}
	if len(left) > 0 {
		t.Errorf("the page has no block for %+v", left)
	}
}

// do types what the page does not show, and must succeed.
func (r *reader) do(t *testing.T, command string) {
	t.Helper()
	if command == "" {
		return
	}
	began := time.Now()
	exit, screen := r.typed(t, "{ "+strings.TrimRight(command, "; ")+"; } >/dev/null")
	t.Logf("%.1fs: %s", time.Since(began).Seconds(), command)
	if exit != 0 {
		t.Fatalf("%s\nends with %d:\n%s", command, exit, screen)
	}
}

// follow plants a cause, types a block, and compares the screen with what the path promises
// and the page shows.
func (r *reader) follow(t *testing.T, p path, b, shown doccommands.Block) {
	t.Helper()
	r.do(t, p.cause)
	exit, screen := 0, ""
	for _, command := range b.Commands() {
		began := time.Now()
		var now string
		exit, now = r.typed(t, command)
		screen += now
		t.Logf("%s: %.1fs: exit code %d: %s", b.At(), time.Since(began).Seconds(), exit, command)
	}
	if exit != b.Exit {
		t.Errorf("%s: exit code %d, want %d:\n%s", b.At(), exit, b.Exit, screen)
	}
	section := sectionOf(r.page, p.section)
	for _, word := range p.sees {
		if !strings.Contains(screen, word) {
			t.Errorf("%s: the screen has no %q:\n%s", b.At(), word, screen)
		}
		// What the commands themselves print of an action is not on the page.
		if !strings.Contains(section, word) && shown.Text != "" {
			t.Errorf("%s: the section %q does not say %q", b.At(), p.section, word)
		}
	}
	if err := doccommands.Fits(shown.Text, screen); err != nil {
		t.Errorf("%s: %v:\n%s", shown.At(), err, screen)
	}
	if p.holds != nil {
		if err := p.holds(screen); err != nil {
			t.Errorf("%s: %v:\n%s", b.At(), err, screen)
		}
	}
	r.do(t, p.cured)
}

// otherServers are no Prometheus that answers us, except one that lacks bytes: each is below a
// path of its own.
func otherServers(t *testing.T, prometheus string) http.Handler {
	t.Helper()
	mux := http.NewServeMux()
	mux.Handle("/without-bytes/", http.StripPrefix("/without-bytes", withoutBytes(t, prometheus)))
	mux.HandleFunc("/silent/", func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // only then is it known when the client is gone
		<-r.Context().Done()
	})
	for path, code := range map[string]int{"/unauthorized/": http.StatusUnauthorized, "/forbidden/": http.StatusForbidden} {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "go away", code) })
	}
	return mux
}

// withoutBytes is Prometheus as if its scrape dropped the sizes of Istio's requests and responses.
func withoutBytes(t *testing.T, prometheus string) http.Handler {
	t.Helper()
	target, err := url.Parse(prometheus)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if bytes.Contains(body, []byte("istio_request_bytes")) || bytes.Contains(body, []byte("istio_response_bytes")) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"status":"success","data":{"resultType":"vector","result":[]}}`)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		proxy.ServeHTTP(w, r)
	})
}

// twice says whether the second of two figures is twice the first, as when both ends of a
// call are added up.
func twice(screen string) error {
	var figures []float64
	for line := range strings.Lines(screen) {
		if figure, err := strconv.ParseFloat(strings.TrimSpace(line), 64); err == nil {
			figures = append(figures, figure)
		}
	}
	if len(figures) != 2 || figures[1] < 1.8*figures[0] || figures[1] > 2.2*figures[0] {
		return fmt.Errorf("the figures are %v, want the second to be twice the first", figures)
	}
	return nil
}

// sectionOf returns the text of a section of a page.
func sectionOf(page, heading string) string {
	_, section, _ := strings.Cut(page, "\n## "+heading+"\n")
	section, _, _ = strings.Cut(section, "\n## ")
	return regexp.MustCompile(`\s+`).ReplaceAllString(section, " ")
}
