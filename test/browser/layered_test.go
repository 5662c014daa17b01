package browser

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// circular is traffic with circles, inside a namespace, between namespaces and over
// several columns.
var circular = append([]flow{
	{"data/redis", "shop/cart", 900}, {"shop/payment", "shop/checkout", 4000}, {"shop/checkout", "bank/api", 90_000}, {"bank/api", "bank/ledger", 80_000},
	{"bank/ledger", "bank/api", 70_000}, {"bank/api", "shop/frontend", 6000}, {"bank/ledger", "data/ledger", 60_000}, {"ops/metrics", "data/redis", 5000},
	{"ops/metrics", "shop/frontend", 5000}, {"ops/metrics", "bank/ledger", 5000}, {"edge/gateway", "data/redis", 800}, {"alone/a", "alone/b", 700}, {"alone/b", "alone/a", 600},
}, observed...)

// many are the flows of 500 workloads in 30 namespaces; three of five stay in theirs.
func many() []flow {
	random := rand.New(rand.NewPCG(1, 2))
	name := func(i int) string { return fmt.Sprintf("team-%02d/workload-%03d", i*30/500, i) }
	seen := map[[2]int]bool{}
	var flows []flow
	for i := range 1500 {
		from, to := i%500, random.IntN(500)
		if random.IntN(5) < 3 {
			to = from/17*17 + random.IntN(17)
		}
		if to >= 500 || from == to || seen[[2]int{from, to}] {
			continue
		}
		seen[[2]int{from, to}] = true
		flows = append(flows, flow{name(from), name(to), math.Pow(10, 2+5*random.Float64())})
	}
	return flows
}

// drawing is what of a layered picture is wrong to look at.
type drawing struct {
	Boxes, Frames, Lines int
	// Under are lines that run under a workload, Foreign those under the frame of a
	// namespace that neither end is in.
	Under, Foreign []string
	// Outside are workloads outside every frame, Overlapping pairs of frames or
	// workloads.
	Outside, Overlapping []string
	// Right is how many arrows point right.
	Right int
}

const inspectDrawing = `(() => {
	const root = document.querySelector(".layered > g");
	const rect = (e) => ({ name: e.parentNode.textContent, x: +e.getAttribute("x"), y: +e.getAttribute("y"), width: +e.getAttribute("width"), height: +e.getAttribute("height") });
	const boxes = [...root.querySelectorAll(".chip .ground")].map(rect), frames = [...root.querySelectorAll(".group rect")].map(rect);
	const inside = (r, p, by) => p.x > r.x + by && p.x < r.x + r.width - by && p.y > r.y + by && p.y < r.y + r.height - by;
	const overlap = (a, b) => a.x < b.x + b.width - 0.5 && b.x < a.x + a.width - 0.5 && a.y < b.y + b.height - 0.5 && b.y < a.y + a.height - 0.5;
	const out = { boxes: boxes.length, frames: frames.length, lines: 0, under: [], foreign: [], outside: [], overlapping: [], right: 0 };
	for (const line of root.querySelectorAll(".stroke")) {
		out.lines++;
		const length = line.getTotalLength();
		const points = Array.from({ length: Math.ceil(length / 3) + 1 }, (_, i) => line.getPointAtLength(Math.min(length, 3 * i)));
		for (const box of boxes) if (points.some((p) => inside(box, p, 1))) out.under.push(box.name);
		const ends = [points[0], points.at(-1)];
		for (const frame of frames) if (!ends.some((p) => inside(frame, p, 0)) && points.some((p) => inside(frame, p, 1))) out.foreign.push(frame.name);
		if (line.nextSibling.getAttribute("d").split("l")[1].startsWith("-")) out.right++;
	}
	for (const box of boxes) if (!frames.some((f) => inside(f, box, 0) && inside(f, { x: box.x + box.width, y: box.y + box.height }, 0))) out.outside.push(box.name);
	for (const all of [boxes, frames]) all.forEach((a, i) => all.slice(i + 1).forEach((b) => overlap(a, b) && out.overlapping.push(a.name + " and " + b.name)));
	return out;
})()`

// TestLayers looks at where the picture of the graph has its boxes and lines.
func TestLayers(t *testing.T) {
	for name, c := range map[string]struct {
		flows []flow
		view  view
		// boxes, frames and right are the numbers wanted; 0: not known.
		boxes, frames, lines, right int
	}{
		"no circles":     {observed, desktop, 9, 3, 7, 7},
		"circles":        {circular, desktop, 15, 6, 20, 0},
		"phone":          {circular, phone, 15, 6, 20, 0},
		"500 workloads":  {many(), desktop, 0, 0, 80, 0},
		"only self-flow": {[]flow{{"a/b", "a/b", 5}}, desktop, 1, 1, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			p := show(t, vicinity(t, "graph", "--prometheus", prometheus(t, c.flows), "-o", "html"), c.view)
			got := evaluate[drawing](p, inspectDrawing)
			if c.boxes > 0 && (got.Boxes != c.boxes || got.Frames != c.frames) || got.Lines != c.lines {
				t.Errorf("%d workloads in %d frames, %d lines, want %d, %d and %d", got.Boxes, got.Frames, got.Lines, c.boxes, c.frames, c.lines)
			}
			if c.right > 0 && got.Right != c.right {
				t.Errorf("%d arrows point right, want %d", got.Right, c.right)
			}
			if len(got.Under)+len(got.Foreign)+len(got.Outside)+len(got.Overlapping) > 0 {
				t.Errorf("lines under workloads: %q, under foreign frames: %q; workloads outside of frames: %q; overlapping: %q", got.Under, got.Foreign, got.Outside, got.Overlapping)
			}
			p.keep("layers-" + strings.ReplaceAll(name, " ", "-"))
			p.quiet()
		})
	}
}

// TestLayersByKeyboard moves through the picture of the graph without a pointer.
func TestLayersByKeyboard(t *testing.T) {
	p := show(t, vicinity(t, "graph", "--prometheus", prometheus(t, observed), "-o", "html"), desktop)
	p.do(chromedp.Focus(chromedp.CSS(".view")), chromedp.KeyEvent(kb.ArrowDown))
	if got := p.text(".panel h3"); got != "shop/frontend" {
		t.Errorf("the first arrow key shows %q, want the busiest workload", got)
	}
	p.do(chromedp.KeyEvent(kb.ArrowLeft))
	if got := p.text(".panel h3"); got != "edge/gateway" {
		t.Errorf("left of the frontend is %q, want its caller", got)
	}
	p.do(chromedp.KeyEvent(kb.Enter))
	if n := evaluate[int](p, `document.querySelectorAll(".over .marked").length`); n != 1 {
		t.Errorf("%d workloads are marked, want one", n)
	}
	p.do(chromedp.KeyEvent(kb.Escape))
	if n := evaluate[int](p, `document.querySelectorAll(".over > *").length`); n != 0 {
		t.Errorf("%d elements are highlighted after Escape", n)
	}
	p.quiet()
}

// TestLayersByPointer points at a line, a workload and a namespace.
func TestLayersByPointer(t *testing.T) {
	p := show(t, vicinity(t, "graph", "--prometheus", prometheus(t, observed), "-o", "html"), desktop)
	for selector, want := range map[string]string{
		`[data-link="0"] .reach`:     "edge/gateway → shop/frontend",
		`[data-space="data"] rect`:   "data",
		`.chip[data-workload] .kept`: "shop/frontend",
	} {
		evaluate[bool](p, `document.querySelector(`+"`"+selector+"`"+`).dispatchEvent(new PointerEvent("pointermove", { bubbles: true, clientX: 5, clientY: 5 }))`)
		if got := p.text(".panel h3"); got != want {
			t.Errorf("the panel of %s is %q, want %q", selector, got, want)
		}
		if got := p.text(".tip"); !strings.HasPrefix(got, want) {
			t.Errorf("the tip of %s is %q, want %q", selector, got, want)
		}
	}
	p.quiet()
}

// TestManyWorkloads times the page of 500 workloads, and asks for a workload whose
// edges are not among those that are drawn.
func TestManyWorkloads(t *testing.T) {
	flows := many()
	p := show(t, vicinity(t, "graph", "--prometheus", prometheus(t, flows), "-o", "html"), desktop)
	longest := `Math.max(...performance.getEntriesByName("vicinity:" + name).map((e) => e.duration))`
	first := evaluate[float64](p, `((name) => `+longest+`)("layout")`)
	block := evaluate[float64](p, `((name) => `+longest+`)("slice")`)
	least := flows[0]
	for _, f := range flows {
		if f.rate < least.rate {
			least = f
		}
	}
	p.do(chromedp.SendKeys(chromedp.CSS(`input[aria-label="Find a workload"]`), least.from))
	p.settle()
	if got := p.text(".panel h3"); got != least.from {
		t.Errorf("the panel is of %q, want %q", got, least.from)
	}
	if n := evaluate[int](p, `document.querySelectorAll(".over .marked").length`); n != 1 {
		t.Errorf("%d workloads are marked, want the one asked for", n)
	}
	p.do(chromedp.Click(chromedp.Search(`//button[text()="Clear"]`)))
	evaluate[bool](p, `(() => {
		const slider = document.querySelector(".slider input");
		slider.value = slider.max;
		return slider.dispatchEvent(new Event("input"));
	})()`)
	drawn := func() int {
		return evaluate[int](p, `document.querySelectorAll(".layered > g:first-child .stroke").length`)
	}
	for began := time.Now(); drawn() != 200 && time.Since(began) < 20*time.Second; {
		p.settle()
	}
	if got := evaluate[drawing](p, inspectDrawing); got.Lines != 200 || len(got.Under)+len(got.Foreign)+len(got.Overlapping) > 0 {
		t.Errorf("%d lines, want 200; under workloads: %q, under foreign frames: %q; overlapping: %q", got.Lines, got.Under, got.Foreign, got.Overlapping)
	}
	most := evaluate[float64](p, `((name) => `+longest+`)("layout")`)
	t.Logf("%d flows of 500 workloads: 80 lines are laid out in %.0f ms, in slices of %.0f ms at most, 200 in %.0f ms", len(flows), first, block, most)
	if first > 4000 || block > 1000 || most > 15000 {
		t.Errorf("the layout of 80 lines takes %.0f ms in slices of %.0f ms at most, that of 200 %.0f ms", first, block, most)
	}
	p.quiet()
}
