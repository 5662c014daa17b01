package doccommands

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/kubernetes/scheme"
	schedulerv1 "k8s.io/kube-scheduler/config/v1"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/yaml"

	"github.com/vicinity-sched/vicinity/plugins/config"
	configv1 "github.com/vicinity-sched/vicinity/plugins/config/v1"
)

// TestYAML reads every file that the manual shows, and every part of one, strictly.
func TestYAML(t *testing.T) {
	pages, err := Manual(os.DirFS("../.."))
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]int{}
	for _, page := range pages {
		for _, b := range page {
			if b.Kind != YAML {
				continue
			}
			for _, document := range regexp.MustCompile(`(?m)^---$`).Split(b.Text, -1) {
				kind, err := read([]byte(document))
				if err != nil {
					t.Errorf("%s: %v", b.At(), err)
				}
				kinds[kind]++
			}
		}
	}
	t.Log(kinds)
	for _, kind := range []string{"TelemetryConfiguration", "KubeSchedulerConfiguration"} {
		if kinds[kind] == 0 {
			t.Errorf("no %s was found", kind)
		}
	}
}

// read reads a document as the kind that it says it is, or whose fields it has, and
// returns which: a document without any is syntax alone.
func read(document []byte) (kind string, err error) {
	var head struct{ APIVersion, Kind string }
	content := map[string]any{}
	if err := yaml.UnmarshalStrict(document, &content); err != nil {
		var list []any
		return "list", yaml.UnmarshalStrict(document, &list)
	}
	if err := yaml.Unmarshal(document, &head); err != nil {
		return "", err
	}
	group, _, _ := strings.Cut(head.APIVersion, "/")
	switch {
	case head.Kind == "":
		return readPart(document)
	case group == "kubescheduler.config.k8s.io":
		return head.Kind, readScheduler(document)
	case head.Kind == "TelemetryConfiguration":
		return head.Kind, config.DecodeStrict(document, &configv1.TelemetryConfiguration{})
	case head.Kind == "TrafficLocalityArgs":
		return head.Kind, config.DecodeStrict(document, &configv1.TrafficLocalityArgs{})
	case group == "kustomize.config.k8s.io":
		return head.Kind, yaml.UnmarshalStrict(document, &types.Kustomization{})
	}
	codecs := serializer.NewCodecFactory(scheme.Scheme, serializer.EnableStrict)
	_, _, err = codecs.UniversalDeserializer().Decode(document, nil, nil)
	if runtime.IsNotRegisteredError(err) {
		return "foreign", nil
	}
	return head.Kind, err
}

// readScheduler reads a scheduler's configuration with the arguments of our plugin.
func readScheduler(document []byte) error {
	c := &schedulerv1.KubeSchedulerConfiguration{}
	if err := config.DecodeStrict(document, c); err != nil {
		return err
	}
	for _, p := range c.Profiles {
		for _, plugin := range p.PluginConfig {
			if plugin.Name == "TrafficLocality" {
				if err := config.DecodeStrict(plugin.Args.Raw, &configv1.TrafficLocalityArgs{}); err != nil {
					return fmt.Errorf("profile %s: %w", *p.SchedulerName, err)
				}
			}
		}
	}
	return nil
}

// readPart reads a part of a file as that of which it has a field at its top.
func readPart(document []byte) (string, error) {
	for kind, into := range map[string]any{
		"(?m)^(prometheus|sources|trust|halfLife|interval|staleAfter|expireAfter|retainFor):":                                  &configv1.TelemetryConfiguration{},
		"(?m)^(strategy|closeness|levels|significance|requestBytes|maxShare|routingPolicies|networkCapacity|promises|shadow):": &configv1.TrafficLocalityArgs{},
		"(?m)^(profiles|percentageOfNodesToScore|leaderElection):":                                                             &schedulerv1.KubeSchedulerConfiguration{},
		"(?m)^(pluginConfig|schedulerName):":                                                                                   &schedulerv1.KubeSchedulerProfile{},
	} {
		if regexp.MustCompile(kind).Match(document) && !bytes.Contains(document, []byte("...")) {
			return "part", yaml.UnmarshalStrict(document, into)
		}
	}
	return "other", nil
}
