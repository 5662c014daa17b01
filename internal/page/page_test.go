package page

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// foreign is what a name can be: markup, ends of scripts and comments, and what
// ends a line in JavaScript.
const foreign = "</script><!--<script>&lt;\"'`${x}\u2028\u2029\x00{{data}}{{"

func written(t *testing.T, kind Kind, title string, data any) string {
	t.Helper()
	var out, again bytes.Buffer
	if err := Write(&out, kind, title, data); err != nil {
		t.Fatal(err)
	}
	if err := Write(&again, kind, title, data); err != nil || again.String() != out.String() {
		t.Errorf("written twice, it is not the same (%v)", err)
	}
	return out.String()
}

// dataOf returns the data of a page as a browser reads it: up to the first end of
// a script.
func dataOf(t *testing.T, text string) string {
	t.Helper()
	_, after, found := strings.Cut(text, `<script type="application/json" id="data">`)
	data, _, closed := strings.Cut(after, "</script")
	if !found || !closed {
		t.Fatal("there are no data")
	}
	return data
}

func TestForeignData(t *testing.T) {
	want := map[string]string{"name": foreign, foreign: "x"}
	plain := written(t, Graph, "title", map[string]string{"name": "x"})
	got := written(t, Graph, foreign, want)
	data := dataOf(t, got)
	if strings.ContainsAny(data, "<>&\u2028\u2029") {
		t.Errorf("not escaped: %s", data)
	}
	var read map[string]string
	if err := json.Unmarshal([]byte(data), &read); err != nil || read["name"] != foreign || read[foreign] != "x" {
		t.Errorf("read back %q (%v), want %q", read, err, want)
	}
	for _, tag := range []string{"<script", "</script", "<!--", "</title", "<style"} {
		if is, was := strings.Count(strings.ToLower(got), tag), strings.Count(strings.ToLower(plain), tag); is != was {
			t.Errorf("%s is there %d times, want %d as without foreign names", tag, is, was)
		}
	}
}

func FuzzForeignData(f *testing.F) {
	f.Add(foreign)
	f.Add("]]>\xff<style>")
	f.Fuzz(func(t *testing.T, name string) {
		var out bytes.Buffer
		if err := Write(&out, Replay, name, []string{name}); err != nil {
			t.Fatal(err)
		}
		var read []string
		if err := json.Unmarshal([]byte(dataOf(t, out.String())), &read); err != nil {
			t.Fatal(err)
		}
		if utf8.ValidString(name) && read[0] != name {
			t.Errorf("%q became %q", name, read[0])
		}
		if n := strings.Count(strings.ToLower(out.String()), "<script"); n != 2 {
			t.Errorf("%d scripts", n)
		}
	})
}

// TestPolicy checks that the policy allows what the page consists of, and that
// nothing else could be asked for.
func TestPolicy(t *testing.T) {
	for _, kind := range []Kind{Replay, Graph} {
		t.Run(string(kind), func(t *testing.T) { checkPolicy(t, written(t, kind, "title", nil)) })
	}
}

func checkPolicy(t *testing.T, text string) {
	t.Helper()
	for _, part := range []struct{ directive, open, end string }{
		{"style-src", "<style>", "</style>"}, {"script-src", `<script type="module">`, "</script>"},
	} {
		_, after, _ := strings.Cut(text, part.open)
		content, _, _ := strings.Cut(after, part.end)
		if want := part.directive + " " + hash(content) + ";"; content == "" || !strings.Contains(text, want) {
			t.Errorf("the policy does not say %s", want)
		}
	}
	if !strings.Contains(text, `content="default-src 'none'; `) {
		t.Error("the policy allows what it does not name")
	}
	outside := regexp.MustCompile(`https?://[^\s"'` + "`" + `)]+|\b(src|href)=|url\(|@import|\bimport\b|\bfetch\(|XMLHttpRequest|WebSocket|sendBeacon`)
	for _, found := range outside.FindAllString(text, -1) {
		if found != "http://www.w3.org/2000/svg" && found != "href=" {
			t.Errorf("the page speaks of %s", found)
		}
	}
}

// TestNamesNeverBecomeMarkup looks for what would turn a text into elements, or
// into a program.
func TestNamesNeverBecomeMarkup(t *testing.T) {
	banned := regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|createContextualFragment|DOMParser|setHTML|\beval\b|new Function|javascript:|setTimeout\(\s*["'` + "`" + `]`)
	var names []string
	err := fs.WalkDir(files, "js", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		names = append(names, strings.TrimSuffix(entry.Name(), ".js"))
		text, err := fs.ReadFile(files, path)
		if found := banned.Find(text); found != nil {
			t.Errorf("%s has %s", path, found)
		}
		if strings.Contains(strings.ToLower(string(text)), "</script") || strings.Contains(string(text), "<!--") {
			t.Errorf("%s would end the script that it is part of", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	listed := slices.Sorted(slices.Values(scripts()))
	if slices.Sort(names); !slices.Equal(names, listed) {
		t.Errorf("the files are %v, those of the page %v", names, listed)
	}
}

type brokenWriter struct{}

var errBroken = errors.New("broken pipe")

func (brokenWriter) Write([]byte) (int, error) { return 0, errBroken }

func TestErrors(t *testing.T) {
	if err := Write(brokenWriter{}, Replay, "", nil); !errors.Is(err, errBroken) {
		t.Errorf("error %v, want %v", err, errBroken)
	}
	if err := Write(&bytes.Buffer{}, Replay, "", func() {}); err == nil {
		t.Error("a function is no data")
	}
	if err := fill(&bytes.Buffer{}, "a {{b}}", nil); err == nil || !strings.Contains(err.Error(), `"b"`) {
		t.Errorf("error %v, want one that names b", err)
	}
}
