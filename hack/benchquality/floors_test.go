package main

import (
	"encoding/csv"
	"os"
	"strconv"
	"strings"
	"testing"
)

const (
	floorsFile = "testdata/floors.csv"
	floorSeeds = 5
	tolerance  = 0.5 // points below the floor that are no regression
	mostAcross = 2.0 // points more across zones than by kube-scheduler's default
)

// TestFloors replays every generated mesh, but for the one of 1,000 workloads, in every order
// that goes with it, under uniform and fair-load routing. What stays close must not fall below
// what it was when testdata/floors.csv was written, nor may more cross zones than the shipped
// profile is allowed. Replays are deterministic: a change of the score that is meant to be
// one is measured with more seeds (make bench-quality) before the floors are written anew:
//
//	go test ./hack/benchquality -run Floors -update
func TestFloors(t *testing.T) {
	if testing.Short() {
		t.Skip("replays all generated meshes")
	}
	runs, err := configured("../../manifests/profiles/latency.yaml")
	if err != nil {
		t.Fatal(err)
	}
	runs = withoutVariants(runs)
	sets, err := datasets(t.Context(), "", "mesh:")
	if err != nil {
		t.Fatal(err)
	}
	floors := readFloors(t)
	lines := [][]string{{"mesh and order", "run", "stays close, in percent"}}
	for _, set := range sets {
		if strings.HasPrefix(set.name, "mesh:heavy-tailed/") {
			continue
		}
		rows, err := replay(t.Context(), set, runs, floorSeeds, 1, others{})
		if err != nil {
			t.Fatalf("%s: %v", set.name, err)
		}
		for i := range rows {
			row := &rows[i]
			if !strings.HasPrefix(row.Run, "gain") {
				continue
			}
			stays := 100 * row.Weighted.Mean
			lines = append(lines, []string{row.Dataset, row.Run, strconv.FormatFloat(stays, 'f', 1, 64)})
			if *update {
				continue
			}
			floor, known := floors[row.Dataset+" "+row.Run]
			switch {
			case !known:
				t.Errorf("%s, %s: %s has no floor for it", row.Dataset, row.Run, floorsFile)
			case stays < floor-tolerance:
				t.Errorf("%s, %s: %.1f %% stays close, want %.1f", row.Dataset, row.Run, stays, floor)
			}
			if across := 100 * row.CrossZoneAbove.Mean; across > mostAcross {
				t.Errorf("%s, %s: %.1f points more cross zones than by default, want %.1f at most", row.Dataset, row.Run, across, mostAcross)
			}
		}
	}
	if *update {
		writeFloors(t, lines)
	}
}

// readFloors returns what stays close, in percent, by mesh, order and run.
func readFloors(t *testing.T) map[string]float64 {
	if *update {
		return nil
	}
	file, err := os.Open(floorsFile)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	lines, err := csv.NewReader(file).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	floors := map[string]float64{}
	for _, line := range lines[1:] {
		floor, err := strconv.ParseFloat(line[2], 64)
		if err != nil {
			t.Fatal(err)
		}
		floors[line[0]+" "+line[1]] = floor
	}
	return floors
}

func writeFloors(t *testing.T, lines [][]string) {
	file, err := os.Create(floorsFile)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := csv.NewWriter(file).WriteAll(lines); err != nil {
		t.Fatal(err)
	}
}
