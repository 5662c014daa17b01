package price

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode"

	goyaml "go.yaml.in/yaml/v2"
	"sigs.k8s.io/yaml"
)

// Read reads a list from a YAML or JSON file with the fields of List.
// betweenZones is required, unit defaults to GB, and name to the last element
// of the file's path, which the argument name is. Errors name the file and the field.
func Read(r io.Reader, name string) (List, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = fmt.Errorf("is larger than %d bytes; a price file has a few lines", maxFile)
	}
	l := List{Name: filepath.Base(name), BetweenZones: math.NaN(), Unit: gigabyte}
	if err == nil {
		err = l.decode(data)
	}
	if err != nil {
		return List{}, fmt.Errorf("%s: %w", name, err)
	}
	return l, nil
}

func (l *List) decode(data []byte) error {
	// UnmarshalStrict ignores the case of fields and all text after the first
	// document. The parser below it detects both.
	documents := goyaml.NewDecoder(bytes.NewReader(data))
	var fields, more map[string]any
	if err := documents.Decode(&fields); err == nil {
		known := []string{"betweenZones", "currency", "date", "name", "source", "unit"}
		for _, field := range slices.Sorted(maps.Keys(fields)) {
			if !slices.Contains(known, field) {
				return fmt.Errorf("unknown field %q; the fields are %s", field, strings.Join(known, ", "))
			}
		}
	}
	if err := yaml.UnmarshalStrict(data, l); err != nil {
		return explain(err)
	}
	if !errors.Is(documents.Decode(&more), io.EOF) {
		return errors.New("something follows the fields; keep one list, in one YAML document")
	}
	return l.check()
}

// explain says in terms of the file what the decoder says in terms of Go.
func explain(err error) error {
	var kind *json.UnmarshalTypeError
	var notFinite *json.UnsupportedValueError
	switch {
	case errors.As(err, &notFinite), errors.As(err, &kind) && kind.Field == "betweenZones":
		return errors.New("betweenZones: must be a number such as 0.02, without quotes or currency")
	case kind != nil && kind.Field == "":
		return fmt.Errorf("must have fields, such as `betweenZones: 0.02` (got a bare %s)", kind.Value)
	case kind != nil:
		return fmt.Errorf("%s: must be text (got %s)", kind.Field, kind.Value)
	}
	return err
}

func (l List) check() error {
	isNoCapital := func(r rune) bool { return r < 'A' || r > 'Z' }
	isUnprintable := func(r rune) bool { return !unicode.IsPrint(r) }
	_, notDay := time.Parse(time.DateOnly, l.Date)
	_, notMonth := time.Parse("2006-01", l.Date)
	switch {
	case math.IsNaN(l.BetweenZones):
		return errors.New("betweenZones: is missing; write 0 if the provider charges nothing")
	case math.Signbit(l.BetweenZones) || l.BetweenZones >= 1e9:
		return fmt.Errorf("betweenZones: must be at least 0 and less than 1e9 (got %v)", l.BetweenZones)
	case l.Unit != gigabyte && l.Unit != gibibyte:
		return fmt.Errorf("unit: must be GB (1e9 bytes) or GiB (2^30 bytes) (got %q)", l.Unit)
	case l.Currency != "" && (len(l.Currency) != 3 || strings.ContainsFunc(l.Currency, isNoCapital)):
		return fmt.Errorf("currency: must be three capital letters, such as USD (got %q)", l.Currency)
	case l.Date != "" && notDay != nil && notMonth != nil:
		return fmt.Errorf("date: must be YYYY-MM-DD or YYYY-MM (got %q)", l.Date)
	case l.Name == "" || strings.ContainsFunc(l.Name, isUnprintable):
		return fmt.Errorf("name: must be one line of text (got %q)", l.Name)
	case strings.ContainsFunc(l.Source, isUnprintable):
		return fmt.Errorf("source: must be one line of text (got %q)", l.Source)
	}
	return nil
}
