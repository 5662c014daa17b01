package price

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPresets(t *testing.T) {
	cases := map[string]struct {
		want string
		// The price of 1 GB/s (1e9 bytes per second) between zones, for 30 days.
		wantPerMonth float64
	}{
		"aws": {
			want:         "0.02 USD per GB between zones (aws, price list AWSDataTransfer of us-east-1, 2026-07-20)",
			wantPerMonth: 51840,
		},
		"gcp": {
			want:         "0.01 USD per GiB between zones (gcp, cloud.google.com/vpc/network-pricing, 2026-09-20)",
			wantPerMonth: 24139.881134033203, // 25920 * 1e9 / 2^30
		},
		"azure": {
			want: "0 USD per GB between zones (azure, learn.microsoft.com/azure/reliability/availability-zones-overview, 2026-02-11)",
		},
	}
	if diff := cmp.Diff([]string{"aws", "gcp", "azure"}, Names()); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			l, ok := Preset(name)
			if !ok {
				t.Fatal("there is no such preset")
			}
			if got := l.String(); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
			if got := l.PerMonth(1e9); math.Abs(got-tc.wantPerMonth) > 1e-6 {
				t.Errorf("got %v per month, want %v", got, tc.wantPerMonth)
			}
			if err := l.check(); err != nil {
				t.Errorf("the preset breaks a rule of price files: %v", err)
			}
		})
	}
	for _, name := range []string{"", "AWS", "ibm"} {
		if l, ok := Preset(name); ok {
			t.Errorf("there is a preset %q: %v", name, l)
		}
	}
}

func TestPerGB(t *testing.T) {
	l := PerGB(0.05)
	if got, want := l.String(), "0.05 per GB between zones (--price-per-gb)"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := l.PerMonth(1e6), 129.6; math.Abs(got-want) > 1e-9 {
		t.Errorf("got %v per month, want %v", got, want)
	}
}

func TestString(t *testing.T) {
	cases := map[string]struct {
		list List
		want string
	}{
		"no exponent": {
			List{Name: "a", BetweenZones: 1e-7, Unit: "GB"}, "0.0000001 per GB between zones (a)",
		},
		"a large price": {
			List{Name: "a", BetweenZones: 123456789, Unit: "GiB", Currency: "IDR"}, "123456789 IDR per GiB between zones (a)",
		},
		"a date without a source": {
			List{Name: "a", Unit: "GB", Currency: "EUR", Date: "2026-11"}, "0 EUR per GB between zones (a, 2026-11)",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := tc.list.String(); got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}

func TestJSON(t *testing.T) {
	azure, _ := Preset("azure")
	cases := map[string]struct {
		list List
		want string
	}{
		"a price of 0 is written": {
			azure,
			`{"name":"azure","betweenZones":0,"unit":"GB","currency":"USD","source":"learn.microsoft.com/azure/reliability/availability-zones-overview","date":"2026-02-11"}`,
		},
		"what is unknown is left out": {
			PerGB(0.01), `{"name":"--price-per-gb","betweenZones":0.01,"unit":"GB","currency":""}`,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := json.Marshal(tc.list)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, string(got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
