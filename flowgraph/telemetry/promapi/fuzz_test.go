package promapi

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// malformed are answers that must fail.
func malformed() []string {
	deep := strings.Repeat("[", maxDepth+1) + strings.Repeat("]", maxDepth+1)
	bodies := []string{
		"", " ", "null", "[]", `"a"`, "<html>", "{", "{}", `{"status":"success"}`,
		`{"status":"success","data":null}`, `{"status":"success","data":[]}`,
		`{"status":"success","data":{"resultType":"vector"}}`,
		`{"status":"success","data":{"resultType":"vector","result":{}}}`,
		`{"status":"success","data":{"resultType":"matrix","result":[]}}`,
		`{"status":"success","data":{"result":[],"resultType":"matrix"}}`,
		`{"status":"success","data":{"resultType":"scalar","result":[1,"2"]}}`,
		`{"status":"error","errorType":"execution","error":"x"}`,
		`{"status":"error","data":[1,{"a":null}],"errorType":"timeout","error":"x"}`,
		`{"status":"success","data":{"resultType":"vector","result":[]},"warnings":["x"]}`,
		`{"status":"success","data":{"resultType":"vector","result":[]},"warnings":"x"}`,
		`{"status":"success","data":{"resultType":"vector","result":[]},"status":"success"}`,
		`{"status":1,"data":{"resultType":"vector","result":[]}}`,
		`{"status":"success","data":{"resultType":"vector","result":[]},"x":` + deep + `}`,
		wrap("") + "x", wrap("") + "{}", wrap("") + ",", wrap("")[1:], wrap(","), wrap(`{"value":[1,"1"]},`), wrap("1"), wrap("null"), wrap("[]"),
		wrap(`{"value":[1,"1"]}{"value":[1,"1"]}`),
		wrap(strings.Repeat(`{"value":[1,"1"]},`, testLimits().series) + `{"value":[1,"1"]}`),
	}
	for _, element := range []string{
		`{}`, `{"metric":{}}`, `{"metric":[],"value":[1,"1"]}`, `{"metric":{"a":1},"value":[1,"1"]}`,
		`{"metric":{"a":null},"value":[1,"1"]}`, `{"metric":{"a"},"value":[1,"1"]}`, `{"metric":{"a":"b",},"value":[1,"1"]}`,
		`{"metric":{,"a":"b"},"value":[1,"1"]}`, `{"metric":{a:"b"},"value":[1,"1"]}`, `{"metric":{"a":"b"},"metric":{},"value":[1,"1"]}`,
		`{"value":[1,"1"],"histogram":[]}`, `{"value":[1,"1"],"value":[1,"1"]}`, `{"values":[[1,"1"]]}`,
		`{"value":null}`, `{"value":"1"}`, `{"value":[]}`, `{"value":[1]}`, `{"value":[1,1]}`, `{"value":["1","1"]}`, `{"value":[1,"1",1]}`, `{"value":[1,"1"}`,
		`{"value":[1,""]}`, `{"value":[1,"x"]}`, `{"value":[1,"1e999"]}`, `{"value":[1," 1"]}`, `{"value":[1,"` + strings.Repeat("0", maxValueBytes) + `1"]}`,
		`{"value":[01,"1"]}`, `{"value":[1.,"1"]}`, `{"value":[.1,"1"]}`, `{"value":[+1,"1"]}`, `{"value":[-,"1"]}`, `{"value":[1e,"1"]}`, `{"value":[1e+,"1"]}`, `{"value":[0x1,"1"]}`, `{"value":[NaN,"1"]}`,
		`{"value":[1,"1"],"x":tru}`, `{"value":[1,"1"],"x":nul}`, `{"value":[1,"1"],"x":falsy}`, `{"value":[1,"1"],"x":'a'}`, `{"value":[1,"1"],"x":}`, `{"value":[1,"1"],"x":[1,]}`, `{"value":[1,"1"],"x":[1}}`, `{"value":[1,"1"],x:1}`,
		`{"value":[1,"1"],"x":"\x"}`, `{"value":[1,"1"],"x":"\u12g4"}`, `{"value":[1,"1"],"x":"\u12"}`, "{\"value\":[1,\"1\"],\"x\":\"a\nb\"}", "{\"value\":[1,\"1\"],\"x\":\"\x00\"}", "\x00", "\ufeff{}",
	} {
		bodies = append(bodies, wrap(element))
	}
	return bodies
}

func TestMalformedAnswersFail(t *testing.T) {
	for _, body := range malformed() {
		if got, err := decodeLines(strings.NewReader(body), testLimits()); err == nil {
			t.Errorf("no error, series %q\n%s", got, body)
		}
		checkDecode(t, []byte(body), rand.New(rand.NewPCG(1, 1)))
	}
}

// TestEveryTruncationFails cuts an answer after every byte.
func TestEveryTruncationFails(t *testing.T) {
	body := wrap(`{"metric":{"a":"\u00e9\\","b":"é"},"value":[1.5e+1,"2"]},{"metric":{},"histogram":[1,{"x":[null,true]}]}`)
	for n := range body {
		if _, err := decodeLines(strings.NewReader(body[:n]), testLimits()); err == nil {
			t.Errorf("no error for %s", body[:n])
		}
		checkDecode(t, []byte(body[:n]), rand.New(rand.NewPCG(1, uint64(n))))
	}
}

// TestRandomAnswers compares answers that are right, or nearly so, with the
// reference.
func TestRandomAnswers(t *testing.T) {
	good := 0
	for seed := range uint64(1500) {
		rng := rand.New(rand.NewPCG(seed, 7))
		body := randomAnswer(rng)
		if rng.IntN(2) == 0 {
			body = mutate(body, rng)
		}
		checkDecode(t, body, rng)
		if _, err := reference(body, testLimits()); err == nil {
			good++
		}
	}
	if good < 500 {
		t.Errorf("only %d answers are right: the others all fail, which shows little", good)
	}
}

// FuzzDecode compares the decoder with encoding/json on any bytes.
func FuzzDecode(f *testing.F) {
	for _, body := range malformed() {
		f.Add([]byte(body), uint64(1))
	}
	for seed := range uint64(20) {
		f.Add(randomAnswer(rand.New(rand.NewPCG(seed, 7))), seed)
	}
	f.Fuzz(func(t *testing.T, body []byte, seed uint64) {
		checkDecode(t, body, rand.New(rand.NewPCG(seed, 0)))
	})
}

// FuzzMutatedAnswer does so on answers that are nearly right, which bytes alone
// rarely become.
func FuzzMutatedAnswer(f *testing.F) {
	for seed := range uint64(20) {
		f.Add(seed, []byte("abc"))
	}
	f.Fuzz(func(t *testing.T, seed uint64, edits []byte) {
		rng := rand.New(rand.NewPCG(seed, 7))
		body := randomAnswer(rng)
		for _, edit := range edits { // anywhere, any byte
			body[rng.IntN(len(body))] = edit
		}
		checkDecode(t, body, rng)
	})
}

// mutate changes, drops, doubles or swaps a few bytes.
func mutate(body []byte, rng *rand.Rand) []byte {
	for range 1 + rng.IntN(3) {
		i := rng.IntN(len(body))
		switch rng.IntN(4) {
		case 0:
			body[i] = `{}[]",:\u0e-+.tfn `[rng.IntN(18)]
		case 1:
			body = append(body[:i], body[min(len(body), i+1+rng.IntN(4)):]...)
		case 2:
			body = append(body[:i+1], body[i:]...)
		case 3:
			j := rng.IntN(len(body))
			body[i], body[j] = body[j], body[i]
		}
		if len(body) == 0 {
			return body
		}
	}
	return body
}

// randomAnswer returns an answer that is right but for its labels' limits, with
// its keys in any order and white space and escapes anywhere.
func randomAnswer(rng *rand.Rand) []byte {
	w := writer{rng}
	var elements []string
	for range rng.IntN(6) {
		var labels []string
		for range rng.IntN(5) {
			labels = append(labels, w.member(w.text(w.word()), w.text(w.word())))
		}
		value := w.member(`"value"`, w.array(w.number(), `"`+[]string{"1", "0.25", "-3e-7", "NaN", "+Inf"}[rng.IntN(5)]+`"`))
		if rng.IntN(8) == 0 {
			value = w.member(`"histogram"`, w.any(0))
		}
		elements = append(elements, w.object(w.member(`"metric"`, w.object(labels...)), value))
	}
	data := w.object(w.member(w.text("resultType"), `"vector"`), w.member(w.text("result"), w.array(elements...)))
	return []byte(w.object(w.member(`"status"`, w.text("success")), w.member(`"data"`, data), w.member(`"infos"`, w.any(0))))
}

// writer writes JSON in one of the many ways.
type writer struct{ rng *rand.Rand }

func (w writer) space() string {
	if w.rng.IntN(6) > 0 {
		return ""
	}
	return strings.Repeat(" \n\t\r", 4)[:w.rng.IntN(16)]
}

func (w writer) word() string {
	words := []string{"", "a", "namespace", `back\slash`, `"`, "tab\t", "é", "日本", "😀", "sixteen bytes ok", "seventeen bytes..", "\u0000"}
	return words[w.rng.IntN(len(words))]
}

// text writes a string, some of its runes as escapes.
func (w writer) text(s string) string {
	b := &strings.Builder{}
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r > 0xFFFF || (r >= ' ' && r != '"' && r != '\\' && w.rng.IntN(8) > 0):
			b.WriteRune(r)
		case r == '\\' || r == '"':
			b.WriteString(`\` + string(r))
		default:
			fmt.Fprintf(b, []string{`\u%04x`, `\u%04X`}[w.rng.IntN(2)], r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

func (w writer) number() string {
	return []string{"0", "-0.5", "12e3", "1722850000.123", "1E-2"}[w.rng.IntN(5)]
}

func (w writer) member(key, value string) string {
	return w.space() + key + w.space() + ":" + w.space() + value + w.space()
}

func (w writer) array(elements ...string) string {
	return "[" + w.space() + strings.Join(elements, w.space()+",") + w.space() + "]"
}

// object writes the members in any order, sometimes with one that nobody knows.
func (w writer) object(members ...string) string {
	if w.rng.IntN(6) == 0 {
		members = append(members, w.member(`"x"`, `"y"`))
	}
	w.rng.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
	return "{" + w.space() + strings.Join(members, ",") + "}"
}

// any writes any value.
func (w writer) any(depth int) string {
	kind := w.rng.IntN(8)
	if depth > 3 {
		kind %= 6
	}
	switch kind {
	case 6:
		return w.array(w.any(depth+1), w.any(depth+1))
	case 7:
		return w.object(w.member(w.text(w.word()), w.any(depth+1)))
	case 5:
		return w.number()
	case 4:
		return w.text(w.word())
	}
	return []string{"null", "true", "false", `"\/"`}[kind]
}
