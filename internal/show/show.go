// Package show writes values as the commands' tables have them: for people, with
// units and rounded. What programs read is not its business.
package show

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// ByteRate formats bytes per second with a binary unit and about three digits.
func ByteRate(v float64) string {
	units := []string{"B/s", "KiB/s", "MiB/s", "GiB/s", "TiB/s"}
	sign := ""
	if v < 0 {
		sign = "-"
	}
	v = math.Abs(v)
	i := 0
	for v >= 999.95 && i < len(units)-1 {
		v /= 1024
		i++
	}
	if i == 0 && v == math.Trunc(v) {
		return fmt.Sprintf("%s%.0f %s", sign, v, units[i])
	}
	return fmt.Sprintf("%s%.1f %s", sign, v, units[i])
}

// Duration formats d as people write it: "5m", not "5m0s".
func Duration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// Moment formats t to the second, in UTC.
func Moment(t time.Time) string { return t.UTC().Truncate(time.Second).Format(time.RFC3339) }

// Percent formats a share between 0 and 1.
func Percent(share float64) string {
	if share > 0 && share < 0.001 {
		return "<0.1 %"
	}
	return fmt.Sprintf("%.1f %%", 100*share)
}

// Plural returns "1 edge" or "2 edges".
func Plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// Printable escapes what a terminal would not show as it is. Names come from
// telemetry, which tenants can write, and from files of others: they must not
// steer the terminal.
func Printable(s string) string {
	if strings.IndexFunc(s, notPrintable) < 0 {
		return s
	}
	b := &strings.Builder{}
	for _, r := range s {
		if notPrintable(r) {
			quoted := strconv.QuoteRuneToASCII(r)
			b.WriteString(quoted[1 : len(quoted)-1])
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

func notPrintable(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar }
