package browser

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

var boutique = []string{"replay", "mesh:online-boutique", "--seeds", "3", "--price-per-gb", "0.01"}

// TestTheTableOfAReplay searches and sorts, and reads the advice.
func TestTheTableOfAReplay(t *testing.T) {
	r := decode[report](t, vicinity(t, append(boutique, "-o", "json")...))
	p := show(t, vicinity(t, append(boutique, "-o", "html")...), desktop)
	most, best := 0.0, ""
	for _, a := range r.RoutingAdvice {
		for _, option := range a.Options {
			for _, run := range option.Runs {
				if run.SavedPerMonth > most {
					most, best = run.SavedPerMonth, a.Workload.String()
				}
			}
		}
	}
	if got := p.text(`[aria-label="options"] tbody tr`); !strings.HasPrefix(got, best) || !strings.Contains(got, fmt.Sprintf("%.2f", most)) {
		t.Errorf("the first advice is %q, want %s with %.2f", got, best, most)
	}
	p.do(chromedp.SendKeys(chromedp.CSS(`input[aria-label="Search workloads"]`), "cart redis"))
	p.settle()
	if got := p.text(`[aria-label="workloads"] tbody`); !strings.HasPrefix(got, "online-boutique/redis-cart") || strings.Contains(got, "frontend") {
		t.Errorf("the search finds %q", got)
	}
	p.do(chromedp.SendKeys(chromedp.CSS(`input[aria-label="Search workloads"]`), "no such name"))
	p.settle()
	if got := p.text(`[aria-label="workloads"] tbody`); got != "" {
		t.Errorf("the search finds %q", got)
	}
	p.choose("Show", "Edges")
	p.do(chromedp.Click(chromedp.Search(`//div[@aria-label="edges"]//button[text()="Change"]`)))
	if got := evaluate[string](p, `document.querySelector('[aria-label="edges"] [aria-sort]').innerText.trim()`); !strings.HasPrefix(got, "Change") {
		t.Errorf("the edges are sorted by %q", got)
	}
	p.quiet()
}

// TestChanges compares what changed most with the report.
func TestChanges(t *testing.T) {
	r := decode[report](t, vicinity(t, append(boutique, "-o", "json")...))
	p := show(t, vicinity(t, append(boutique, "-o", "html")...), desktop)
	p.choose("Run", r.Runs[1].Name)
	for i, change := range r.Runs[1].WorkloadChanges {
		want := fmt.Sprintf("%s → %s", percent(change.Was/change.Total), percent(change.Is/change.Total))
		if got := p.text(fmt.Sprintf(".changes li:nth-child(%d)", i+1)); !strings.HasPrefix(got, change.From.String()) || !strings.Contains(got, want) {
			t.Errorf("change %d is %q, want %s %s", i+1, got, change.From, want)
		}
	}
	p.quiet()
}

// TestHighlight finds a workload by its name, and by the pointer, and compares
// what is said of it with the data.
func TestHighlight(t *testing.T) {
	p := show(t, vicinity(t, append(boutique, "-o", "html")...), desktop)
	p.do(chromedp.SendKeys(chromedp.CSS(`input[aria-label="Find a workload"]`), "online-boutique/redis-cart"))
	p.settle()
	type found struct {
		Total, Local float64
	}
	want := evaluate[found](p, `(() => {
		const { report, cluster, pictures } = JSON.parse(document.getElementById("data").textContent);
		const w = cluster.workloads.findIndex((w) => w.name === "redis-cart");
		const run = report.runs.findIndex((run) => run.name === document.querySelector("#bar select").value);
		return { total: cluster.workloads[w].bytesPerSecond, local: pictures[run].workloadLocal.zone[w] };
	})()`)
	if got := p.text(".panel"); !strings.Contains(got, "online-boutique/redis-cart") || !strings.Contains(got, percent(want.Local/want.Total)) {
		t.Errorf("the panel says %q, want %+v", got, want)
	}
	if n := evaluate[int](p, `document.querySelectorAll(".over .marked").length`); n != 2 {
		t.Errorf("%d chips are marked, want one in each picture", n)
	}
	p.keep("highlight")
	p.do(chromedp.Click(chromedp.Search(`//button[text()="Clear"]`)))
	if n := evaluate[int](p, `document.querySelectorAll(".over > *").length`); n != 0 {
		t.Errorf("%d elements are highlighted after a clear", n)
	}
	// The pointer on the first chip of the first picture.
	evaluate[bool](p, `(() => {
		const chip = document.querySelector(".picture .chip rect").getBoundingClientRect();
		const root = document.querySelector(".picture");
		root.dispatchEvent(new PointerEvent("pointermove", { bubbles: true, clientX: chip.x + 5, clientY: chip.y + 5 }));
		return true;
	})()`)
	name := p.text(".picture .chip text")
	if got := p.text(".panel h3"); !strings.HasSuffix(got, name) {
		t.Errorf("the panel is of %q, want %q", got, name)
	}
	p.quiet()
}

// TestHeatMapLabels reads the axes of the heat maps: names where there is room for all
// of them, else those of zones.
func TestHeatMapLabels(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"few nodes":  {boutique, "node-0001 node-0004 node-0002 node-0005 node-0003 node-0006 elsewhere"},
		"many nodes": {[]string{"replay", "mesh:heavy-tailed,size=650", "--seeds", "1", "--run", "default,latency"}, "region-1a region-1b region-1c elsewhere"},
	} {
		t.Run(name, func(t *testing.T) {
			p := show(t, vicinity(t, append(c.args, "-o", "html")...), desktop)
			for axis, selector := range map[string]string{"columns": ".heat div:nth-child(2)", "rows": ".heat div:nth-child(3)"} {
				got := evaluate[[]string](p, `[...document.querySelectorAll("`+selector+` text")].map((e) => e.textContent)`)
				if want := strings.Fields(c.want + " " + c.want); !slices.Equal(got, want) {
					t.Errorf("the %s of both maps are %q, want %q", axis, got, want)
				}
			}
			if got := p.text(".heat .corner"); got != "called → caller ↓" {
				t.Errorf("the axes are %q", got)
			}
			p.quiet()
		})
	}
}

// TestNothingIsAskedFor tries to break out of the page's policy.
func TestNothingIsAskedFor(t *testing.T) {
	p := show(t, vicinity(t, append(boutique, "-o", "html")...), desktop)
	p.quiet()
	refused := evaluate[bool](p, `fetch("http://127.0.0.1:9/").then(() => false, () => new Promise((done) => {
		const image = new Image();
		image.onload = () => done(false);
		image.onerror = () => done(true);
		image.src = "data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAA=";
	}))`)
	if !refused {
		t.Error("the page can load what is not in it")
	}
	said := strings.Join(p.complaints, "\n")
	if strings.Count(said, "Content Security Policy") < 2 {
		t.Errorf("it is not the policy that refuses:\n%s", said)
	}
}

// TestForeignNames has markup in the names of workloads.
func TestForeignNames(t *testing.T) {
	dir := t.TempDir()
	vicinity(t, "replay", "mesh:online-boutique", "--write", dir)
	evil := `outside/<script>document.title="taken"<!--&lt;`
	edges, err := os.ReadFile(filepath.Join(dir, "edges.csv"))
	if err != nil {
		t.Fatal(err)
	}
	header, _, _ := strings.Cut(string(edges), "\n")
	row := `"` + strings.ReplaceAll(evil, `"`, `""`) + `",online-boutique/frontend,1e6` + strings.Repeat(",0", strings.Count(header, ",")-2) + "\n"
	path := filepath.Join(dir, "edges.csv")
	if err := os.WriteFile(path, append(edges, row...), 0o600); err != nil {
		t.Fatal(err)
	}
	p := show(t, vicinity(t, "replay", path, "--cluster", filepath.Join(dir, "cluster.json"), "--seeds", "1", "-o", "html"), desktop)
	p.choose("Show", "Edges")
	if got := p.text(`[aria-label="edges"] tbody`); !strings.Contains(got, evil) {
		t.Errorf("the name is not shown as it is: %q", got)
	}
	if got := evaluate[int](p, `document.scripts.length`); got != 2 || evaluate[string](p, "document.title") == "taken" {
		t.Errorf("a name became markup: %d scripts", got)
	}
	p.quiet()
}

// TestKeyboard goes through the page with the tabulator alone.
func TestKeyboard(t *testing.T) {
	p := show(t, vicinity(t, append(boutique, "-o", "html")...), desktop)
	seen := p.tabbed()
	at := 0
	for _, want := range []string{
		"a: Skip", "select: Run", "input: Zone", "select: Routing", "button: Use dark", "button: Kube-scheduler (default configuration)", "button: Vicinity (latency profile)", "summary: All figures",
		"input: Number of lines", "input: Find a workload", "button: Next workload", "canvas: Before", "canvas: After", "summary: The largest",
		"input: Search options", "input: Search workloads",
	} {
		i := slices.IndexFunc(seen[at:], func(s string) bool { return strings.HasPrefix(s, want) && !strings.HasSuffix(s, "(not visible)") })
		if i < 0 {
			t.Errorf("%q is not reached, or not in this order:\n%s", want, strings.Join(seen, "\n"))
			continue
		}
		at += i
	}
	p.do(chromedp.Focus(chromedp.CSS("canvas")), chromedp.KeyEvent(kb.ArrowDown), chromedp.KeyEvent(kb.ArrowRight))
	if got := p.text(".readout"); !strings.Contains(got, "→") {
		t.Errorf("the arrow keys show %q", got)
	}
	p.quiet()
}

// TestLooks checks colours and widths, and keeps pictures for people to look at.
func TestLooks(t *testing.T) {
	content := vicinity(t, append(boutique, "-o", "html")...)
	backgrounds := map[string]string{}
	for name, v := range map[string]view{
		"light": desktop, "dark": {width: 1280, height: 900, dark: true}, "small": phone,
		"small-dark": {width: 360, height: 780, dark: true}, "middle": {width: 768, height: 1000}, "wide": {width: 1920, height: 1080},
	} {
		p := show(t, content, v)
		if got := evaluate[int64](p, "document.scrollingElement.scrollWidth"); got > v.width {
			t.Errorf("%s: the page is %d pixels wide, want %d at most", name, got, v.width)
		}
		backgrounds[name] = evaluate[string](p, "getComputedStyle(document.body).backgroundColor")
		for selector, least := range map[string]float64{"h1": 7, ".lead": 4.5, ".tile dt": 4.5, "h1 .local": 4.5, "h1 .before": 4.5, ".status": 4.5} {
			if got := evaluate[float64](p, contrast(selector)); got < least {
				t.Errorf("%s: %s has a contrast of %.1f, want %v at least", name, selector, got, least)
			}
		}
		p.keep("replay-" + name)
		p.quiet()
	}
	if backgrounds["light"] == backgrounds["dark"] || backgrounds["small"] != backgrounds["light"] {
		t.Errorf("backgrounds %v", backgrounds)
	}
	p := show(t, content, desktop)
	p.do(chromedp.Click(chromedp.CSS("button.theme")))
	p.settle()
	if got := evaluate[string](p, "getComputedStyle(document.body).backgroundColor"); got != backgrounds["dark"] {
		t.Errorf("the button makes it %s, want %s", got, backgrounds["dark"])
	}
	p.quiet()
}

// contrast is that of a text and the page, as WCAG 2 has it.
func contrast(selector string) string {
	return `(() => {
		const light = (colour) => {
			const [r, g, b] = colour.match(/[\d.]+/g).map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
			return 0.2126 * r + 0.7152 * g + 0.0722 * b;
		};
		const a = light(getComputedStyle(document.querySelector("` + selector + `")).color), b = light(getComputedStyle(document.body).backgroundColor);
		return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
	})()`
}

// TestLargeCluster times the page of a mesh with more than 500 workloads on more
// than 100 nodes.
func TestLargeCluster(t *testing.T) {
	content := vicinity(t, "replay", "mesh:heavy-tailed,size=650", "--seeds", "2", "--run", "default,latency", "-o", "html")
	p := show(t, content, desktop)
	size := evaluate[[]int](p, `(() => { const { report } = JSON.parse(document.getElementById("data").textContent); return [report.input.workloads, report.input.nodes]; })()`)
	if size[0] < 500 || size[1] < 100 || len(content) > 5<<20 {
		t.Errorf("%d workloads, %d nodes, %d bytes", size[0], size[1], len(content))
	}
	measured := `(name) => performance.getEntriesByName("vicinity:" + name).map((e) => e.duration)`
	drawn := evaluate[float64](p, `(performance.getEntriesByType("measure").reduce((last, e) => Math.max(last, e.startTime + e.duration), 0))`)
	paint := evaluate[float64](p, `performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? 0`)
	// Each step highlights the next workload and waits until that is painted.
	steps := evaluate[[]float64](p, `(async () => {
		const next = document.querySelector('[aria-label="Next workload by traffic"]');
		const took = [];
		for (let i = 0; i < 30; i++) {
			const began = performance.now();
			next.click();
			document.querySelector(".picture").getBoundingClientRect();
			took.push(performance.now() - began);
			await new Promise((done) => requestAnimationFrame(done));
		}
		return took.sort((a, b) => a - b);
	})()`)
	highlights := evaluate[[]float64](p, `(`+measured+`)("highlight").sort((a, b) => a - b)`)
	t.Logf("%d workloads, %d nodes, %.1f MB: first paint after %.0f ms, all drawn after %.0f ms; one highlight, both pictures and the panel: median %.1f ms, longest %.1f ms (%d drawings, longest %.1f ms)",
		size[0], size[1], float64(len(content))/1e6, paint, drawn, steps[len(steps)/2], steps[len(steps)-1], len(highlights), highlights[len(highlights)-1])
	if drawn > 4000 || steps[len(steps)/2] > 100 {
		t.Errorf("drawn after %.0f ms, a highlight takes %.0f ms", drawn, steps[len(steps)/2])
	}
	p.keep("large")
	p.quiet()
}

// TestTimeline gives every run a timeline, as recordings over time have one.
func TestTimeline(t *testing.T) {
	content := string(vicinity(t, append(boutique, "-o", "html")...))
	var moments []string
	for hour := range 24 {
		moments = append(moments, fmt.Sprintf(`{"at":"2026-03-01T%02d:00:00Z","bytesPerSecond":%d,"crossNodeBytesPerSecond":%d,"crossZoneBytesPerSecond":%d,"pods":18,"nodes":6}`,
			hour, 3<<20, (hour%12+1)<<17, (hour%12+1)<<16))
	}
	content = strings.ReplaceAll(content, `"perSeed":[`, `"timeline":[`+strings.Join(moments, ",")+`],"perSeed":[`)
	p := show(t, []byte(content), desktop)
	if got := p.text(".timeline svg"); !strings.Contains(got, "3.0 MiB/s") || !strings.Contains(got, "2026-03-01 23:00 UTC") {
		t.Errorf("the timeline says %q", got)
	}
	for level, want := range map[string]string{"node": "1.5 MiB/s", "zone": "768.0 KiB/s"} {
		p.choose("Level", level)
		p.do(chromedp.Click(chromedp.Search(`//summary[text()="The timeline as a table"]`)))
		p.settle()
		want := "2026-03-01T11:00:00Z 3.0 MiB/s " + want + " " + want + " 18 6"
		if got := p.text(`[aria-label="Traffic over time"] tbody tr:nth-child(12)`); got != want {
			t.Errorf("the moment is %q, want %q", got, want)
		}
		if got := evaluate[string](p, `document.querySelector(".timeline").previousSibling.textContent`); !strings.HasPrefix(got, "Traffic between "+level+"s ") {
			t.Errorf("%s: the timeline is introduced by %q", level, got)
		}
	}
	p.keep("timeline")
	p.quiet()
}

// TestOneRun has nothing to compare with, and says nothing of it.
func TestOneRun(t *testing.T) {
	args := []string{"replay", "mesh:online-boutique", "--seeds", "1", "--run", "latency", "-o"}
	r := decode[report](t, vicinity(t, append(args, "json")...))
	p := show(t, vicinity(t, append(args, "html")...), desktop)
	if got, want := p.text("h1"), "With Vicinity (latency profile), "+percent(r.Runs[0].Summary.Node["configured"].LocalShare.Mean)+" of the traffic would stay on its node."; got != want {
		t.Errorf("the headline is %q, want %q", got, want)
	}
	for _, word := range []string{"before", "compare", "After"} {
		if strings.Contains(p.text("main"), word) {
			t.Errorf("the page speaks of %q", word)
		}
	}
	if n := evaluate[int](p, `document.querySelectorAll("svg.picture").length`); n != 1 {
		t.Errorf("%d pictures, want one", n)
	}
	p.quiet()
}

// TestLabelledLevels chooses a level that a node label tells.
func TestLabelledLevels(t *testing.T) {
	dir := t.TempDir()
	vicinity(t, "replay", "mesh:heavy-tailed,size=60", "--write", dir)
	path := filepath.Join(dir, "cluster.json")
	objects, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	n := -1
	racks := strings.Split(string(objects), `"kubernetes.io/hostname":`)
	for i := range racks[1:] {
		n++
		racks[i+1] = fmt.Sprintf(`"example.com/rack": "rack-%d", "kubernetes.io/hostname":`, n%6) + racks[i+1]
	}
	config := filepath.Join(dir, "racks.yaml")
	text := "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\nprofiles:\n" +
		"- {schedulerName: a, plugins: {multiPoint: {enabled: [{name: TrafficLocality, weight: 5}]}}, " +
		"pluginConfig: [{name: TrafficLocality, args: {levels: [{label: example.com/rack, closeness: 0.8}]}}]}\n"
	for file, content := range map[string]string{path: strings.Join(racks, ""), config: text} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	args := []string{"replay", filepath.Join(dir, "edges.csv"), "--cluster", path, "--order", "random", "--seeds", "2", "--run", "default", "--scheduler-config", config}
	r := decode[report](t, vicinity(t, append(args, "-o", "json")...))
	p := show(t, vicinity(t, append(args, "-o", "html")...), desktop)
	p.choose("Level", "example.com/rack")
	for _, run := range r.Runs {
		p.choose("Run", run.Name)
		for _, model := range []string{"uniform", "configured"} {
			p.choose("Routing", model)
			if len(run.Summary.Labelled) != 1 {
				t.Fatalf("%s: %d levels of labels", run.Name, len(run.Summary.Labelled))
			}
			of := map[string]traffic{"uniform": run.Summary.Labelled[0].Uniform, "configured": run.Summary.Labelled[0].Configured}
			want := percent(of[model].LocalShare.Mean)
			if got := p.text("h1"); !strings.Contains(got, want) || !strings.Contains(got, "in its example.com/rack") {
				t.Errorf("%s, %s: the headline is %q, want %s", run.Name, model, got, want)
			}
			if got := p.text(`[data-figure="example.com/rack.localShare"]`); !strings.Contains(got, want) {
				t.Errorf("%s, %s: the tile is %q, want %s", run.Name, model, got, want)
			}
		}
	}
	p.quiet()
}
