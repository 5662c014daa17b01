package sources_test

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/vicinity-sched/vicinity/internal/sources"
)

// realScrapes have the names that scrapes of real proxies have had.
const realScrapes = "../../test/realmeshes/names"

// evidence says where the names that a type relies on have been seen: the file
// testdata/evidence/TYPE.yaml. A name has one mark, the strongest that holds.
type evidence struct {
	// RealProxy are names by the file below realScrapes that has them.
	RealProxy map[string][]string `json:"realProxy"`
	// Recorded are names by the file below expositions that has them.
	Recorded map[string][]string `json:"recorded"`
	// Documented are names by what says that they exist.
	Documented map[string][]string `json:"documented"`
}

// marks are what the tables of the documentation call the kinds of evidence.
func (e evidence) marks() map[string]map[string][]string {
	return map[string]map[string][]string{"real proxy": e.RealProxy, "recorded exposition": e.Recorded, "documentation": e.Documented}
}

func evidenceOf(t *testing.T, kind sources.Type) evidence {
	t.Helper()
	path := filepath.Join("testdata", "evidence", string(kind.Name)+".yaml")
	text, err := os.ReadFile(path)
	var e evidence
	if err == nil {
		err = yaml.UnmarshalStrict(text, &e)
	}
	if err != nil {
		t.Fatalf("%s, which says where the names that the type relies on have been seen: %v. The names are:\n%s",
			path, err, strings.Join(namesWithPlaces(t, namesOf(t, kind)), "\n"))
	}
	return e
}

// TestNamesHaveEvidence: every metric and label that a type relies on has been seen, or is
// marked as from documentation, and nothing else is marked.
func TestNamesHaveEvidence(t *testing.T) {
	for _, kind := range own(t) {
		t.Run(string(kind.Name), func(t *testing.T) {
			e := evidenceOf(t, kind)
			marked := map[string]bool{}
			for _, places := range e.marks() {
				for place, names := range places {
					for _, name := range names {
						if marked[name] {
							t.Errorf("%s: %s has a mark already; name the strongest evidence alone", place, name)
						}
						marked[name] = true
					}
				}
			}
			var unmarked []string
			for _, name := range namesOf(t, kind) {
				if !marked[name] {
					unmarked = append(unmarked, name)
				}
				delete(marked, name)
			}
			if len(unmarked) > 0 {
				t.Errorf("no evidence of\n%s", strings.Join(namesWithPlaces(t, unmarked), "\n"))
			}
			for _, name := range slices.Sorted(maps.Keys(marked)) {
				t.Errorf("there is evidence of %s, which the type does not rely on", name)
			}
		})
	}
}

// TestRealProxiesHaveNames: the evidence of real proxies is in what their scrapes had.
func TestRealProxiesHaveNames(t *testing.T) {
	for _, kind := range own(t) {
		for file, names := range evidenceOf(t, kind).RealProxy {
			seen := map[string]bool{}
			for line := range strings.Lines(read(t, filepath.Join(realScrapes, file))) {
				// What the scrape's own configuration adds is no evidence.
				if of, name, _ := strings.Cut(strings.TrimSpace(line), " "); of == "metric" || of == "label" {
					seen[name] = true
				}
			}
			for _, name := range names {
				if !seen[name] {
					t.Errorf("%s: %s does not have %s", kind.Name, file, name)
				}
			}
		}
	}
}

// TestRecordedExpositionsHaveNames: the evidence of recorded expositions is in them.
func TestRecordedExpositionsHaveNames(t *testing.T) {
	for _, kind := range own(t) {
		for file, names := range evidenceOf(t, kind).Recorded {
			t.Run(string(kind.Name)+" "+file, func(t *testing.T) {
				seen := exposedNames(recordedText(t, file))
				for _, name := range names {
					if !seen[name] {
						t.Errorf("%s is not in it", name)
					}
				}
			})
		}
	}
}

// recordedText is a recorded exposition. The test is skipped where there is none.
func recordedText(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(expositions, path))
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("%s is not here: recorded metrics are not part of the repository", filepath.Join(expositions, path))
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// exposedNames are the names of metrics and labels in an exposition.
func exposedNames(text string) map[string]bool {
	metric, label := regexp.MustCompile(`^[a-zA-Z_:][a-zA-Z0-9_:]*`), regexp.MustCompile(`[{,]\s*([a-zA-Z_][a-zA-Z0-9_]*)="(?:[^"\\]|\\.)*"`)
	names := map[string]bool{}
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		names[metric.FindString(line)] = true
		for _, m := range label.FindAllStringSubmatch(line, -1) {
			names[m[1]] = true
		}
	}
	delete(names, "")
	return names
}

// namesWithPlaces says of each name which expositions have it, as far as they are here, for
// whoever writes the evidence.
func namesWithPlaces(t *testing.T, names []string) []string {
	t.Helper()
	places := map[string][]string{}
	err := filepath.WalkDir(expositions, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !slices.Contains([]string{".prom", ".txt"}, filepath.Ext(path)) {
			return err
		}
		file, _ := filepath.Rel(expositions, path)
		for name := range exposedNames(read(t, path)) {
			places[name] = append(places[name], file)
		}
		return nil
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	var lines []string
	for _, name := range names {
		lines = append(lines, "  "+name+"  "+strings.Join(places[name], " "))
	}
	return lines
}
