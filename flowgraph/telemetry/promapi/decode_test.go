package promapi

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
)

// testLimits are small, so that random answers exceed them.
func testLimits() limits { return limits{series: 20, labelBytes: 16} }

// decodeLines returns what decode yields as seriesLine writes it.
func decodeLines(in io.Reader, l limits) ([]string, error) {
	var lines []string
	err := decode(in, l, func(s telemetry.Series) error {
		set := s.Labels.(*labels)
		values := map[string]string{}
		for _, r := range set.refs {
			name := string(set.bytes[r.name:r.value])
			values[name] = set.Get(name)
		}
		lines = append(lines, seriesLine(values, fmt.Sprint(s.Value)))
		return nil
	})
	return lines, err
}

// chunks returns the same bytes as body in reads of different sizes.
func chunks(body []byte, rng *rand.Rand) map[string]io.Reader {
	return map[string]io.Reader{
		"at once":               bytes.NewReader(body),
		"byte by byte":          iotest.OneByteReader(bytes.NewReader(body)),
		"the last with the end": iotest.DataErrReader(bytes.NewReader(body)),
		"random":                &randomReader{bytes.NewReader(body), rng},
	}
}

// randomReader returns few bytes at a time, sometimes none.
type randomReader struct {
	in  io.Reader
	rng *rand.Rand
}

func (r *randomReader) Read(p []byte) (int, error) {
	n := r.rng.IntN(12)
	if n == 0 {
		return 0, nil
	}
	return r.in.Read(p[:min(n, len(p))])
}

// checkDecode compares decode with the reference, and its results for different
// chunks with each other.
func checkDecode(t *testing.T, body []byte, rng *rand.Rand) {
	t.Helper()
	l := testLimits()
	want, wantErr := reference(body, l)
	first, firstErr := decodeLines(bytes.NewReader(body), l)
	if (firstErr == nil) != (wantErr == nil) {
		t.Fatalf("error = %v, the reference says %v\n%q", firstErr, wantErr, body)
	}
	if wantErr == nil && !slices.Equal(first, want) {
		t.Fatalf("series (-want +got):\n%s\n%q", cmp.Diff(want, first), body)
	}
	for name, in := range chunks(body, rng) {
		got, err := decodeLines(in, l)
		if !slices.Equal(got, first) || where(err) != where(firstErr) {
			t.Fatalf("%s: %v, %v; want %v, %v\n%q", name, got, where(err), first, where(firstErr), body)
		}
	}
}

// where returns of an error what does not depend on the chunks: an error of
// syntax shows what else is in the buffer.
func where(err error) string {
	var syntax *syntaxError
	if errors.As(err, &syntax) {
		return fmt.Sprint("byte ", syntax.offset)
	}
	return fmt.Sprint(err)
}

// element wraps an element of the result into an answer.
func wrap(element string) string {
	return `{"status":"success","data":{"resultType":"vector","result":[` + element + `]}}`
}

func TestDecode(t *testing.T) {
	one := func(labels, value string) string {
		return wrap(`{"metric":{` + labels + `},"value":[1,"` + value + `"]}`)
	}
	huge := "1" + strings.Repeat("0", 308)
	cases := map[string]struct {
		body string
		want []string
	}{
		"no series":                 {wrap(""), nil},
		"null for no series":        {`{"status":"success","data":{"resultType":"vector","result":null},"warnings":null,"error":null}`, nil},
		"data first":                {`{"warnings":[],"data":{"result":[{"value":[1.5e0,"2"],"metric":{"a":"b"}}],"resultType":"vector"},"status":"success"}`, []string{`"a"="b" 2`}},
		"unknown keys":              {wrap(`{"x":{"y":[1,-0.5e+3,true,false,null,{"value":"\ud83d"}]},"value":[-0,"-1"],"metric":null}`), []string{"-1"}},
		"nested to the limit":       {`{"x":` + strings.Repeat("[", maxDepth) + strings.Repeat("]", maxDepth) + `,` + wrap("")[1:], nil},
		"no metric":                 {wrap(`{"value":[1,"1"]}`), []string{"1"}},
		"white space":               {" \t\r\n" + strings.NewReplacer("{", " {\n", ":", " :\t", ",", " ,\r\n", "]", " ]", "}", " } ").Replace(one(`"a":"b"`, "1")), []string{`"a"="b" 1`}},
		"escaped labels":            {one(`"\u0061\"":"\\\/\b\f\n\r\t\u00e9"`, "1"), []string{`"a\""="\\/\b\f\n\r\té" 1`}},
		"escaped keys":              {`{"st\u0061tus":"success","d\u0061ta":{"resultType":"vector","result":[]}}`, nil},
		"surrogates":                {one(`"a":"\ud83d\ude00","b":"\ud83d","c":"\ude00\ud83dx","d":"\ud83d\ud83d\ude00"`, "1"), []string{`"a"="😀" "b"="�" "c"="��x" "d"="�😀" 1`}},
		"UTF-8":                     {one(`"é":"日本"`, "1"), []string{`"é"="日本" 1`}},
		"not UTF-8":                 {one("\"a\":\"\xc3(\xff\xe6\x97\"", "1"), []string{`"a"="�(���" 1`}},
		"empty value is missing":    {one(`"a":"","":"b"`, "1"), []string{`""="b" 1`}},
		"the last of two":           {one(`"a":"b","a":"c"`, "1"), []string{`"a"="c" 1`}},
		"a label at the limit":      {one(`"a":"0123456789abcdef"`, "1"), []string{`"a"="0123456789abcdef" 1`}},
		"a label over the limit":    {one(`"b":"x","a":"0123456789abcdefg","c":"y"`, "1"), []string{`"b"="x" "c"="y" 1`}},
		"the last is over":          {one(`"a":"b","a":"0123456789abcdefg"`, "1"), []string{"1"}},
		"escapes count once":        {one(`"a":"`+strings.Repeat(`\u0061`, 16)+`"`, "1"), []string{`"a"="aaaaaaaaaaaaaaaa" 1`}},
		"a name over the limit":     {one(`"0123456789abcdefg":"x","a":"b"`, "1"), []string{`"a"="b" 1`}},
		"not finite":                {wrap(`{"value":[1,"NaN"]},{"value":[1,"+Inf"]},{"value":[1,"-Inf"]},{"value":[1,"-0"]},{"value":[1,"1e308"]}`), []string{"NaN", "+Inf", "-Inf", "-0", "1e+308"}},
		"309 digits":                {one("", huge), []string{"1e+308"}},
		"histogram":                 {wrap(`{"metric":{"a":"b"},"histogram":[1,{"count":"1","sum":"2","buckets":[[0,"1","2","3"]]}]},{"value":[1,"3"]}`), []string{`"a"="b" NaN`, "3"}},
		"nothing of the one before": {wrap(`{"metric":{"a":"b"},"value":[1,"1"]},{"value":[1,"2"]}`), []string{`"a"="b" 1`, "2"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := decodeLines(strings.NewReader(tc.body), testLimits())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("series (-want +got):\n%s", diff)
			}
			checkDecode(t, []byte(tc.body), rand.New(rand.NewPCG(1, 1)))
		})
	}
}
