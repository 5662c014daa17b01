package main

import (
	"fmt"
	"regexp"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/vicinity-sched/vicinity/internal/metricdef"
)

// The files of alerting rules: as Prometheus reads them, and as its operator does.
const (
	ruleFile  = "manifests/alerts/vicinity.yaml"
	component = "manifests/components/prometheus-rule/alerts.yaml"
)

// repository is where the page can be read.
const repository = "https://github.com/vicinity-sched/vicinity/blob/main/"

// groups is Prometheus' format of a file of rules.
type groups struct {
	Groups []ruleGroup `json:"groups"`
}

type ruleGroup struct {
	Name  string `json:"name"`
	Rules []rule `json:"rules"`
}

type rule struct {
	Alert       string            `json:"alert"`
	Expr        string            `json:"expr"`
	For         string            `json:"for"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
}

// operatorRule is the Prometheus operator's object.
type operatorRule struct {
	APIVersion string            `json:"apiVersion"`
	Kind       string            `json:"kind"`
	Metadata   map[string]string `json:"metadata"`
	Spec       groups            `json:"spec"`
}

// link is one of Markdown.
var link = regexp.MustCompile(`\[[^]]+\]\(([^)]+)\)`)

// alerting returns the rules of all alerts, in the order of the page.
func alerting(all []metricdef.Metric) groups {
	g := ruleGroup{Name: "vicinity"}
	for _, m := range all {
		for _, a := range m.Alerts {
			g.Rules = append(g.Rules, rule{
				Alert: a.Name, Expr: a.PromQL, For: "5m", Labels: map[string]string{"severity": "warning"},
				Annotations: map[string]string{
					"description": link.ReplaceAllString(a.Meaning, "docs/$1"),
					"runbook_url": repository + page + "#" + strings.ToLower(a.Name),
				},
			})
		}
	}
	return groups{[]ruleGroup{g}}
}

// files returns what is written, by path below the module's directory.
func files(all []metricdef.Metric) (map[string]string, error) {
	rules := alerting(all)
	plain, err := yaml.Marshal(rules)
	if err != nil {
		return nil, fmt.Errorf("writing %s: %w", ruleFile, err)
	}
	object, err := yaml.Marshal(operatorRule{
		APIVersion: "monitoring.coreos.com/v1", Kind: "PrometheusRule",
		Metadata: map[string]string{"name": "vicinity-alerts", "namespace": "vicinity-system"}, Spec: rules,
	})
	if err != nil {
		return nil, fmt.Errorf("writing %s: %w", component, err)
	}
	const written = "# Written by \"go run ./hack/docmetrics\" from the definitions in the code; do not edit.\n"
	return map[string]string{
		page:     render(all),
		ruleFile: "# The alerts of docs/metrics.md as Prometheus' rule files have them.\n" + written + string(plain),
		component: "# The alerts of docs/metrics.md for the Prometheus operator. Its Prometheus must select\n" +
			"# them: see its ruleSelector.\n" + written + string(object),
	}, nil
}
