package sources_test

import (
	"context"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry/promql"
	"github.com/vicinity-sched/vicinity/internal/sources"
	"github.com/vicinity-sched/vicinity/plugins/config"
	v1 "github.com/vicinity-sched/vicinity/plugins/config/v1"
)

// definitions returns a source of each type as a configuration has it, that of PromQL of
// one's own with the example.
func definitions(tb testing.TB) []v1.TelemetrySource {
	all, err := sources.All()
	if err != nil {
		tb.Fatal(err)
	}
	var of []v1.TelemetrySource
	for _, kind := range all {
		path := filepath.Join(tb.TempDir(), "telemetry.yaml")
		text := "apiVersion: config.vicinity.dev/v1\nkind: TelemetryConfiguration\nprometheus: {url: 'http://p:9090'}\n" + kind.Text
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			tb.Fatal(err)
		}
		c, err := config.LoadTelemetry(path)
		if err != nil {
			tb.Fatal(err)
		}
		of = append(of, c.Sources[0])
		if !kind.IsCustom() { // as data and, where it is code, as that too
			c.Sources[0].Type, c.Sources[0].PromQL = kind.Name, nil
			of = append(of, c.Sources[0])
		}
	}
	return of
}

// words are labels that depend on the bytes.
type words struct {
	bytes []byte
	all   []string
}

func (w words) Get(name string) string {
	sum := uint(w.bytes[0])
	for _, b := range []byte(name) {
		sum = sum*31 + uint(b)
	}
	return w.all[sum%uint(len(w.all))]
}

// foreign answers every query with the same series, nine bytes for each.
type foreign struct {
	data []byte
	text []string
	got  float64 // in all
}

func (f *foreign) Query(_ context.Context, _ string, _ time.Time, yield func(telemetry.Series) error) error {
	for i := 0; i+9 <= len(f.data); i += 9 {
		value := math.Float64frombits(binary.LittleEndian.Uint64(f.data[i+1:]))
		if rate, ok := flowgraph.ClampRate(value); ok {
			f.got += rate
		}
		if err := yield(telemetry.Series{Labels: words{f.data[i:], f.text}, Value: value}); err != nil {
			return err
		}
	}
	return nil
}

// FuzzTypes lets every type read whatever names there may be. It makes flows of possible
// workloads alone, and no traffic out of nothing.
func FuzzTypes(f *testing.F) {
	one := string([]byte{7, 0, 0, 0, 0, 0, 0, 0x59, 0x40}) // 100
	f.Add([]byte(strings.Repeat(one, 3)), "shop web pod web-1 source destination")
	f.Add([]byte(one+strings.Repeat("\x01\x00\x00\x00\x00\x00\x00\xf8\x7f", 2)), "shop/cart|8080 cart.shop web_shop_svc_80 unknown")
	f.Add([]byte("\x02"+one[1:]+"\x09"+one[1:]), "kri_msvc_default_east_shop_api_http a_b_c_svc_80 sub.web.shop | ||| _svc_ "+strings.Repeat("x", 300))
	var types []telemetry.Source
	for _, of := range definitions(f) {
		source, err := sources.New(of, telemetry.Trust{}, services{})
		if err != nil {
			f.Fatal(err)
		}
		types = append(types, source)
	}
	f.Fuzz(func(t *testing.T, data []byte, text string) {
		data = data[:min(len(data), 180)]
		for _, source := range types {
			q := &foreign{data: data, text: append(strings.Split(text, " "), "")}
			o, err := source.Collect(t.Context(), q, time.Unix(1, 0))
			if err != nil {
				t.Fatalf("%s: %v", source.Name(), err)
			}
			for _, flow := range o.Flows {
				if !flow.Valid() || !flow.From.IsValid() || !flow.To.IsValid() {
					t.Fatalf("%s: %q -> %q: %v", source.Name(), flow.From, flow.To, flow.Rates)
				}
			}
			if all := o.BytesPerSecond(); all > q.got*(1+1e-9) {
				t.Fatalf("%s: %v B/s of %v", source.Name(), all, q.got)
			}
		}
	})
}

// FuzzPatterns takes names apart in the other order, which must make no difference: a type
// whose pattern fits a name in two ways would guess.
func FuzzPatterns(f *testing.F) {
	for _, value := range []string{"shop/cart|8080", "cart.shop", "a.b.shop", "web_shop_svc_80", "a_b_shop_svc_80_svc_80", "kri_msvc_default_east_shop_api_http", ""} {
		f.Add(value)
	}
	var patterns []string
	for _, of := range definitions(f) {
		if of.PromQL == nil {
			continue
		}
		for _, end := range append(append([]promql.End{}, of.PromQL.Client...), of.PromQL.Server...) {
			lazy := regexp.MustCompile(`[*+?}]\?`).MatchString(end.Pattern) // has chosen an order itself
			if end.Pattern != "" && !lazy {
				patterns = append(patterns, end.Pattern)
			}
		}
	}
	if len(patterns) < 2 {
		f.Fatalf("there are %d patterns", len(patterns))
	}
	f.Fuzz(func(t *testing.T, value string) {
		for _, pattern := range patterns {
			greedy, reluctant := regexp.MustCompile("^(?s:"+pattern+")$"), regexp.MustCompile("^(?sU:"+pattern+")$")
			a, b := greedy.FindStringSubmatch(value), reluctant.FindStringSubmatch(value)
			for i, group := range greedy.SubexpNames() {
				if group != "" && a != nil && a[i] != b[i] {
					t.Errorf("%s: the %s of %q is %q, or else %q", pattern, group, value, a[i], b[i])
				}
			}
		}
	})
}
