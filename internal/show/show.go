// Package show writes values as the commands' tables have them: for people, with
// units and rounded. What programs read is not its business.
package show

import (
	"fmt"
	"math"
	"strconv"
	"strings"
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
