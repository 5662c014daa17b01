package browser

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// vicinity runs the CLI, which VICINITY names, and returns what it prints.
func vicinity(t *testing.T, args ...string) []byte {
	t.Helper()
	binary := os.Getenv("VICINITY")
	if binary == "" {
		binary = "../../bin/vicinity"
	}
	cmd := exec.CommandContext(t.Context(), binary, args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("vicinity %s: %v (make browser-test builds it)", strings.Join(args, " "), err)
	}
	return out
}

// decode reads what the CLI printed as JSON.
func decode[T any](t *testing.T, text []byte) T {
	t.Helper()
	var v T
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// view is how a page is looked at.
type view struct {
	width, height int64
	dark          bool
}

var (
	desktop = view{width: 1280, height: 900}
	phone   = view{width: 360, height: 780}
)

// tab is a page in a browser of its own, without anything from before.
type tab struct {
	t   *testing.T
	ctx context.Context

	mu sync.Mutex
	// complaints are errors of the console, asked what it wanted to load.
	complaints, asked []string
}

// show opens a page of the CLI.
func show(t *testing.T, content []byte, v view) *tab {
	t.Helper()
	file := filepath.Join(t.TempDir(), "page.html")
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true))
	allocated, stop := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(stop)
	browser, stop := chromedp.NewContext(allocated)
	t.Cleanup(stop)
	p := &tab{t: t}
	if err := chromedp.Listen(browser, p.hear); err != nil { // starts the browser
		t.Fatalf("starting Chromium: %v (Debian: apt-get install chromium)", err)
	}
	ctx, stop := context.WithTimeout(browser, time.Minute)
	t.Cleanup(stop)
	p.ctx = ctx
	scheme := "light"
	if v.dark {
		scheme = "dark"
	}
	call(p, network.Enable, network.EnableParams{})
	call(p, log.Enable, cdp.Empty{})
	call(p, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}, // else clicks miss what still scrolls
	}})
	call(p, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: v.width, Height: v.height, DeviceScaleFactor: 1, Mobile: v.width < 500})
	p.do(chromedp.Navigate("file://"+file), chromedp.WaitVisible(chromedp.CSS("h1")))
	p.settle()
	return p
}

func (p *tab) hear(event any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		p.complaints = append(p.complaints, fmt.Sprint(e.ExceptionDetails.Text, e.ExceptionDetails.Exception))
	case *runtime.EventConsoleAPICalled:
		p.complaints = append(p.complaints, "console."+string(e.Type))
	case *log.EventEntryAdded:
		p.complaints = append(p.complaints, e.Entry.Text)
	case *network.EventRequestWillBeSent:
		p.asked = append(p.asked, e.Request.URL)
	}
}

// quiet fails the test if the page complained, or asked for more than itself.
func (p *tab) quiet() {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.complaints) > 0 {
		p.t.Errorf("the console says %q", p.complaints)
	}
	if len(p.asked) != 1 || !strings.HasPrefix(p.asked[0], "file://") {
		p.t.Errorf("the page asked for %q, want itself only", p.asked)
	}
}

func (p *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	if err := chromedp.Do(p.ctx, steps...); err != nil {
		p.t.Fatal(err)
	}
}

// call sends a command of the protocol.
func call[P, R any](p *tab, command cdp.Command[P, R], params P) R {
	p.t.Helper()
	result, err := chromedp.Call(p.ctx, command, params)
	if err != nil {
		p.t.Fatal(err)
	}
	return result
}

// settle waits for what was drawn in the frames after a change, and for a picture that
// is being laid out.
func (p *tab) settle() {
	p.t.Helper()
	evaluate[bool](p, `new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => requestAnimationFrame(() => done(true)))))`)
	evaluate[bool](p, `new Promise((done) => {
		const look = () => document.querySelector('[aria-busy="true"]') ? setTimeout(look, 10) : done(true);
		look();
	})`)
}

// evaluate runs an expression in the page; of a promise, it waits for the end.
func evaluate[T any](p *tab, expression string) T {
	p.t.Helper()
	v, err := chromedp.Run(p.ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		p.t.Fatal(err)
	}
	return v
}

// text is what people read at a selector, with its white space in one.
func (p *tab) text(selector string) string {
	p.t.Helper()
	quoted, err := json.Marshal(selector)
	if err != nil {
		p.t.Fatal(err)
	}
	text := evaluate[string](p, `((e) => e?.innerText ?? e?.textContent ?? "(nothing)")(document.querySelector(`+string(quoted)+`))`)
	return strings.Join(strings.Fields(text), " ")
}

// choose picks an option of a control of the bar, by its label.
func (p *tab) choose(label, value string) {
	p.t.Helper()
	found := evaluate[bool](p, `(() => {
		for (const field of document.querySelectorAll("#bar .field")) {
			if (field.querySelector("span").textContent !== "`+label+`") continue;
			const control = field.querySelector("select");
			control.value = "`+value+`";
			control.dispatchEvent(new Event("change"));
			return control.value === "`+value+`";
		}
		for (const group of document.querySelectorAll("fieldset")) {
			if (group.querySelector("legend").textContent !== "`+label+`") continue;
			const input = [...group.querySelectorAll("input")].find((i) => i.value === "`+value+`");
			input?.click();
			return input !== undefined;
		}
		return false;
	})()`)
	if !found {
		p.t.Fatalf("there is no %s %s", label, value)
	}
	p.settle()
}

// keep writes a picture of the whole page to the directory SCREENSHOTS, if it is
// set.
func (p *tab) keep(name string) {
	p.t.Helper()
	dir := os.Getenv("SCREENSHOTS")
	if dir == "" {
		return
	}
	picture, err := chromedp.Run(p.ctx, chromedp.FullScreenshot(100))
	if err != nil {
		p.t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), picture, 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// tabbed presses the tabulator until the focus is back at the beginning, and
// returns what had it.
func (p *tab) tabbed() []string {
	p.t.Helper()
	var seen []string
	for range 200 {
		p.do(chromedp.KeyEvent("\t"))
		at := evaluate[string](p, `(() => {
			const e = document.activeElement;
			if (!e || e === document.body) return "";
			const visible = e.getClientRects().length > 0;
			return e.tagName.toLowerCase() + ": " + (e.getAttribute("aria-label") ?? e.closest("label")?.innerText ?? e.innerText).trim().split("\n")[0] + (visible ? "" : " (not visible)");
		})()`)
		if at == "" || len(seen) > 3 && slices.Equal(seen[:1], []string{at}) {
			break
		}
		seen = append(seen, at)
	}
	return seen
}
