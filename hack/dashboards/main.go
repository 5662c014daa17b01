// Command dashboards writes the Grafana dashboards of charts/vicinity/dashboards. It is
// run in the module's directory, whenever a dashboard has changed:
//
//	go run ./hack/dashboards
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

const directory = "charts/vicinity/dashboards"

func main() {
	if err := write(directory); err != nil {
		fmt.Fprintln(os.Stderr, "dashboards:", err)
		os.Exit(1)
	}
}

// write makes one file for each dashboard.
func write(dir string) error {
	for _, d := range dashboards() {
		text, err := d.render()
		if err != nil {
			return fmt.Errorf("writing %s: %w", d.file(), err)
		}
		if err := os.WriteFile(filepath.Join(dir, d.file()), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// dashboard is one page of Grafana.
type dashboard struct {
	name, title, about string
	variables          []variable
	rows               []row
}

// variable is a field in which readers type a value.
type variable struct{ name, label, value string }

// row is a line of panels, which share its width and have its height.
type row struct {
	height int
	panels []panel
}

// panel shows the answers to queries.
type panel struct {
	kind         string // stat, timeseries, table or text
	title, about string
	unit         string // as Grafana calls it
	stacked      bool
	queries      []query
	text         string // of a text panel, as Markdown
}

// query is PromQL with the legend of its series.
type query struct{ expr, legend string }

func (d dashboard) file() string { return "vicinity-" + d.name + ".json" }

// gridWidth is how many units wide a page of Grafana is.
const gridWidth = 24

// datasource is the variable by which readers choose their Prometheus.
func datasource() map[string]string {
	return map[string]string{"type": "prometheus", "uid": "${datasource}"}
}

// chosen are the variables by which readers choose the scheduler that a page is of. Where no
// series has the label "cluster", or "namespace", there are no choices, and the variable is
// empty, as the label of such series is.
func chosen() []map[string]any {
	var list []map[string]any
	for _, v := range []struct{ name, label, values string }{
		{"cluster", "Cluster", `label_values(vicinity_graph_generation, cluster)`},
		{"namespace", "Namespace", `label_values(vicinity_graph_generation{cluster="$cluster"}, namespace)`},
		{"job", "Scheduler", `label_values(vicinity_graph_generation{cluster="$cluster",namespace="$namespace"}, job)`},
	} {
		list = append(list, map[string]any{"name": v.name, "label": v.label, "type": "query", "datasource": datasource(),
			"query": v.values, "definition": v.values, "refresh": 2, "sort": 1, "multi": false, "includeAll": false})
	}
	return list
}

// scope adds the choice to every metric of an expression.
func scope(expr string) string {
	metric := regexp.MustCompile(`\b((?:vicinity|scheduler|process|leader)_[a-z_]+)(\{?)`)
	const of = `{cluster="$cluster",namespace="$namespace",job="$job"`
	return metric.ReplaceAllStringFunc(expr, func(found string) string {
		if name, ok := strings.CutSuffix(found, "{"); ok {
			return name + of + ","
		}
		return found + of + "}"
	})
}

// render returns the dashboard in Grafana's JSON model.
func (d dashboard) render() ([]byte, error) {
	var panels []map[string]any
	y := 0
	for _, r := range d.rows {
		width := gridWidth / len(r.panels)
		for i, p := range r.panels {
			made := p.render()
			made["id"] = len(panels) + 1
			made["gridPos"] = map[string]int{"x": i * width, "y": y, "w": width, "h": r.height}
			panels = append(panels, made)
		}
		y += r.height
	}
	list := append([]map[string]any{{"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"}}, chosen()...)
	for _, v := range d.variables {
		list = append(list, map[string]any{"name": v.name, "label": v.label, "type": "textbox", "query": v.value,
			"current": map[string]string{"text": v.value, "value": v.value}})
	}
	out := &bytes.Buffer{}
	e := json.NewEncoder(out)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	err := e.Encode(map[string]any{
		"uid": "vicinity-" + d.name, "title": "Vicinity / " + d.title, "description": d.about, "tags": []string{"vicinity"},
		"schemaVersion": 39, "version": 1, "editable": true, "timezone": "browser", "refresh": "1m",
		"time":       map[string]string{"from": "now-24h", "to": "now"},
		"templating": map[string]any{"list": list},
		"links":      []map[string]any{{"title": "Vicinity", "type": "dashboards", "tags": []string{"vicinity"}, "asDropdown": true, "includeVars": true, "keepTime": true}},
		"panels":     panels,
	})
	return out.Bytes(), err
}

func (p panel) render() map[string]any {
	if p.kind == "text" {
		return map[string]any{"type": "text", "title": p.title, "options": map[string]string{"mode": "markdown", "content": p.text}}
	}
	var targets []map[string]any
	for i, q := range p.queries {
		t := map[string]any{"refId": string(rune('A' + i)), "datasource": datasource(), "expr": scope(q.expr), "legendFormat": q.legend}
		if p.kind != "timeseries" { // these show the newest value only
			t["instant"] = true
		}
		if p.kind == "table" {
			t["format"] = "table"
		}
		targets = append(targets, t)
	}
	custom := map[string]any{}
	if p.kind == "timeseries" {
		custom["fillOpacity"] = 10
	}
	if p.stacked {
		custom["fillOpacity"] = 60
		custom["stacking"] = map[string]string{"mode": "normal"}
	}
	defaults := map[string]any{"unit": p.unit, "custom": custom}
	if p.unit == "percentunit" {
		defaults["min"], defaults["max"] = 0, 1
	}
	return map[string]any{
		"type": p.kind, "title": p.title, "description": p.about, "datasource": datasource(), "targets": targets,
		"fieldConfig": map[string]any{"defaults": defaults, "overrides": []any{}},
	}
}
