package replay

import (
	"strings"
	"testing"
	"time"
)

func TestWarmUpUntil(t *testing.T) {
	from := time.Date(2026, 3, 4, 5, 0, 0, 0, time.UTC)
	to := from.Add(40 * time.Minute)
	cases := map[string]struct {
		warmUp string
		want   time.Duration
		err    string
	}{
		"half of it by default": {"", 20 * time.Minute, ""},
		"none":                  {"0s", 0, ""},
		"a time":                {"30m", 30 * time.Minute, ""},
		"a share":               {"0.25", 10 * time.Minute, ""},
		"a share in percent":    {"25%", 10 * time.Minute, ""},
		"all of it":             {"100%", 0, "must be shorter than the input, 40m"},
		"more than it":          {"1h", 0, "must be shorter than the input, 40m"},
		"more than a share":     {"101%", 0, "must be a duration such as 30m, or a share such as 50%"},
		"less than none":        {"-1s", 0, "must be a duration such as 30m"},
		"no number":             {"NaN", 0, "must be a duration such as 30m"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			o := Options{WarmUp: tc.warmUp}
			until, err := o.warmUpUntil(from, to)
			switch {
			case tc.err != "" && (err == nil || !strings.Contains(err.Error(), tc.err)):
				t.Errorf("error %v, want %q", err, tc.err)
			case tc.err == "" && (err != nil || until.Sub(from) != tc.want):
				t.Errorf("%v after the beginning, error %v, want %v", until.Sub(from), err, tc.want)
			}
		})
	}
}

func TestPeriod(t *testing.T) {
	first := time.Date(2026, 3, 4, 5, 0, 0, 0, time.UTC)
	last := first.Add(time.Hour)
	cases := map[string]struct {
		since, until string
		from, to     time.Duration // after first
		notes        int
		err          string
	}{
		"all":                      {"", "", 0, time.Hour, 0, ""},
		"since and until":          {"40m", "10m", 20 * time.Minute, 50 * time.Minute, 0, ""},
		"a moment":                 {"2026-03-04T05:15:00Z", "", 15 * time.Minute, time.Hour, 0, ""},
		"before the data begin":    {"24h", "", 0, time.Hour, 1, ""},
		"after the data end":       {"", "2026-03-05T00:00:00Z", 0, time.Hour, 1, ""},
		"since after the data end": {"2026-03-05T00:00:00Z", "", 0, 0, 0, "there is data from 2026-03-04T05:00:00Z to 2026-03-04T06:00:00Z"},
		"no time":                  {"", "late", 0, 0, 0, `--until "late": must be a time such as`},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			from, to, notes, err := Options{Since: tc.since, Until: tc.until}.period(first, last)
			if tc.err != "" {
				if err == nil || !strings.Contains(err.Error(), tc.err) {
					t.Errorf("error %v, want %q", err, tc.err)
				}
				return
			}
			if err != nil || from.Sub(first) != tc.from || to.Sub(first) != tc.to || len(notes) != tc.notes {
				t.Errorf("from %v to %v, notes %q, error %v", from.Sub(first), to.Sub(first), notes, err)
			}
		})
	}
}

func TestValidate(t *testing.T) {
	good := Options{Seeds: 1, Rollouts: 1, Parallel: 1}
	cases := map[string]struct {
		change func(*Options)
		want   string
	}{
		"good":              {func(*Options) {}, ""},
		"no seeds":          {func(o *Options) { o.Seeds = 0 }, "--seeds 0: must be between 1 and 10000"},
		"too many seeds":    {func(o *Options) { o.Seeds = 10_001 }, "--seeds 10001"},
		"no rollout":        {func(o *Options) { o.Rollouts = 0 }, "--rollouts 0: must be between 1 and 1000"},
		"too many rollouts": {func(o *Options) { o.Rollouts = 1001 }, "--rollouts 1001"},
		"none at a time":    {func(o *Options) { o.Parallel = 0 }, "--parallel 0"},
		"too short a step":  {func(o *Options) { o.Step = time.Millisecond }, "--step 1ms: must be at least 1s"},
		"a negative step":   {func(o *Options) { o.Step = -time.Minute }, "--step -1m0s"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			o := good
			tc.change(&o)
			err := o.Validate()
			if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("error %v, want %q", err, tc.want)
			}
		})
	}
}
