package main

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/vicinity-sched/vicinity/internal/report/reporttest"
)

// TestReplayJSONKeepsItsSchema checks what the command writes against the published
// JSON Schema.
func TestReplayJSONKeepsItsSchema(t *testing.T) {
	schema := reporttest.Read(t, "../../docs/replay.schema.json")
	dir := t.TempDir()
	edges, shop := shopFiles(t)
	flat := filepath.Join(dir, "flat.yaml")
	withoutZones(t, shop, flat)
	recorded := record(t, filepath.Join(dir, "shop"), aRecording())
	cases := map[string][]string{
		"at one moment":       {edges, "--cluster", shop},
		"with a price":        {edges, "--cluster", shop, "--price", "gcp", "--timing"},
		"without zones":       {edges, "--cluster", flat},
		"a price, no zones":   {edges, "--cluster", flat, "--price-per-gb", "0.01"},
		"another routing":     {edges, "--cluster", shop, "--route", "shop/cart=PreferSameNode"},
		"one run":             {edges, "--cluster", shop, "--run", "netmarks"},
		"consolidation":       {edges, "--cluster", shop, "--order", "consolidation"},
		"several rollouts":    {edges, "--cluster", shop, "--rollouts", "2"},
		"a recording":         {recorded},
		"a priced recording":  {recorded, "--price", "aws"},
		"a generated cluster": {"mesh:star"},
	}
	for name, args := range cases {
		t.Run(name, func(t *testing.T) {
			text := succeed(t, append([]string{"replay", "-o", "json", "--seeds", "2"}, args...)...)
			if err := schema.Check(t, []byte(text)); err != nil {
				t.Error(err)
			}
		})
	}
}

// withoutZones copies a cluster file and leaves out where nodes are.
func withoutZones(t *testing.T, from, to string) {
	t.Helper()
	text, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	flat := regexp.MustCompile(`topology\.kubernetes\.io/(zone|region): \w+,? ?`).ReplaceAllString(string(text), "")
	if flat == string(text) {
		t.Fatalf("%s has no zones", from)
	}
	write(t, to, flat)
}
