// Package price says what cloud providers charge for traffic between the zones
// of a region: list prices of three providers, and price files of users. It
// fetches nothing, and converts no currencies.
package price

import "strconv"

const (
	gigabyte, gibibyte = "GB", "GiB"
	secondsPerMonth    = 30 * 24 * 3600
	maxFile            = 1 << 20 // bytes
)

// List is what a provider charges for traffic between zones of one region.
type List struct {
	// Name is the name of a preset or of a price file, or --price-per-gb.
	Name string `json:"name"`
	// BetweenZones is the price of one unit of bytes that crosses from one zone to another:
	// the charges of both ends, added up. It can be 0.
	BetweenZones float64 `json:"betweenZones"`
	// Unit is "GB" (1e9 bytes) or "GiB" (2^30 bytes).
	Unit string `json:"unit"`
	// Currency is an ISO 4217 code, or empty if it is unknown.
	Currency string `json:"currency"`
	// Source is where the price is from. Missing when that is not known.
	Source string `json:"source,omitempty"`
	// Date is when the source said so, as YYYY-MM-DD or YYYY-MM. Missing when that is not
	// known.
	Date string `json:"date,omitempty"`
}

// presets returns public list prices. They change, and differ by region and
// contract. Charges of load balancers, gateways and peering come on top.
func presets() []List {
	return []List{
		{
			// AWS charges 0.01 where a byte leaves and 0.01 where it arrives. The
			// price list, quoted by others, has the date. It does not define its
			// GB; if AWS counts 2^30 bytes, the bill is 7 % lower.
			Name: "aws", BetweenZones: 0.02, Unit: gigabyte, Currency: "USD",
			Source: "price list AWSDataTransfer of us-east-1", Date: "2026-07-20",
		}, {
			// Google charges the sender only. A transcript of the page has the date.
			Name: "gcp", BetweenZones: 0.01, Unit: gibibyte, Currency: "USD",
			Source: "cloud.google.com/vpc/network-pricing", Date: "2026-09-20",
		}, {
			// Azure charges nothing between zones. The page has the date.
			Name: "azure", BetweenZones: 0, Unit: gigabyte, Currency: "USD",
			Source: "learn.microsoft.com/azure/reliability/availability-zones-overview", Date: "2026-02-11",
		},
	}
}

// Names returns the names of the presets.
func Names() []string {
	var names []string
	for _, l := range presets() {
		names = append(names, l.Name)
	}
	return names
}

// Preset returns the list of that name; ok is false if there is none.
func Preset(name string) (list List, ok bool) {
	for _, l := range presets() {
		if l.Name == name {
			return l, true
		}
	}
	return List{}, false
}

// PerGB is the list of --price-per-gb: the price of 1e9 bytes, which the caller
// has checked, in a currency that only the user knows.
func PerGB(price float64) List {
	return List{Name: "--price-per-gb", BetweenZones: price, Unit: gigabyte}
}

// PerMonth is the price, in Currency, of 30 days of traffic between zones.
func (l List) PerMonth(bytesPerSecond float64) float64 {
	unit := 1e9
	if l.Unit == gibibyte {
		unit = 1 << 30
	}
	return bytesPerSecond * secondsPerMonth / unit * l.BetweenZones
}

// String describes the list to readers of a report, such as "0.01 USD per GiB
// between zones (gcp, cloud.google.com/vpc/network-pricing, 2026-09-20)".
func (l List) String() string {
	text := strconv.FormatFloat(l.BetweenZones, 'f', -1, 64)
	if l.Currency != "" {
		text += " " + l.Currency
	}
	text += " per " + l.Unit + " between zones (" + l.Name
	for _, more := range []string{l.Source, l.Date} {
		if more != "" {
			text += ", " + more
		}
	}
	return text + ")"
}
