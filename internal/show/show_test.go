package show

import (
	"math"
	"testing"
)

func TestFormats(t *testing.T) {
	cases := map[string]struct{ got, want string }{
		"nothing":                  {ByteRate(0), "0 B/s"},
		"less than nothing":        {ByteRate(math.Copysign(0, -1)), "0 B/s"},
		"part of a byte":           {ByteRate(0.25), "0.2 B/s"},
		"whole bytes":              {ByteRate(999), "999 B/s"},
		"just below KiB":           {ByteRate(999.9), "999.9 B/s"},
		"KiB":                      {ByteRate(1000), "1.0 KiB/s"},
		"KiB and a half":           {ByteRate(1536), "1.5 KiB/s"},
		"MiB":                      {ByteRate(5 << 20), "5.0 MiB/s"},
		"GiB":                      {ByteRate(3 << 30), "3.0 GiB/s"},
		"more than the units have": {ByteRate(1 << 60), "1048576.0 TiB/s"},
		"negative":                 {ByteRate(-3 << 20), "-3.0 MiB/s"},
		"negative, whole bytes":    {ByteRate(-7), "-7 B/s"},
		"one":                      {Plural(1, "edge"), "1 edge"},
		"two":                      {Plural(2, "edge"), "2 edges"},
		"none":                     {Plural(0, "edge"), "0 edges"},
		"letters":                  {Printable("日本 café-µ"), "日本 café-µ"},
		"escapes":                  {Printable("\x1b[2Jweb\u202edb\t"), `\x1b[2Jweb\u202edb\t`},
		"no UTF-8":                 {Printable("a\nb\xff"), `a\nb\ufffd`},
	}
	for name, tc := range cases {
		if tc.got != tc.want {
			t.Errorf("%s: got %q, want %q", name, tc.got, tc.want)
		}
	}
}
