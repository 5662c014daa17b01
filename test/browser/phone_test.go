package browser

import "testing"

// TestOnAPhone looks for the money and for what the runs are in the width of a phone.
func TestOnAPhone(t *testing.T) {
	r := decode[report](t, vicinity(t, append(boutique, "-o", "json")...))
	narrow := view{width: 390, height: 844}
	p := show(t, vicinity(t, append(boutique, "-o", "html")...), narrow)
	for _, selector := range []string{`[data-figure="price"] .now`, `[aria-label="options"] tbody td`, ".saves strong:last-of-type"} {
		right := evaluate[float64](p, `document.querySelector('`+selector+`').getBoundingClientRect().right`)
		if right <= 0 || right > float64(narrow.width) {
			t.Errorf("%s ends at %.0f pixels of %d", selector, right, narrow.width)
		}
	}
	for _, run := range r.Runs {
		if got := p.text(`[data-run="` + run.Name + `"] .about`); got != "Run "+run.Name+"; "+run.Config {
			t.Errorf("%s is described as %q, want %q", run.Name, got, run.Config)
		}
		p.choose("Run", run.Name)
		if got := evaluate[string](p, `document.querySelector("#bar select").selectedOptions[0].text`); got != capital(run.Title) {
			t.Errorf("%s is chosen as %q, want %q", run.Name, got, capital(run.Title))
		}
		for _, selector := range []string{"#bar select", ".chosen .run-name", ".chosen .bar-picture", ".chosen .value", "h1"} {
			box := evaluate[[]float64](p, `((r) => [r.left, r.right, r.width])(document.querySelector("`+selector+`").getBoundingClientRect())`)
			if box[0] < 0 || box[1] > float64(narrow.width) || box[2] < 50 {
				t.Errorf("%s: %s is from %.0f to %.0f pixels of %d", run.Name, selector, box[0], box[1], narrow.width)
			}
		}
		if evaluate[bool](p, `document.querySelector(".chosen .run-name").getBoundingClientRect().right > document.querySelector(".chosen .value").getBoundingClientRect().left`) {
			t.Errorf("%s: its title covers its figure", run.Name)
		}
	}
	if got := evaluate[int64](p, "document.scrollingElement.scrollWidth"); got > narrow.width {
		t.Errorf("the page is %d pixels wide, want %d at most", got, narrow.width)
	}
	p.quiet()
}
