package config

import (
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	schedulerv1 "k8s.io/kube-scheduler/config/v1"

	v1 "github.com/vicinity-sched/vicinity/plugins/config/v1"
	"github.com/vicinity-sched/vicinity/plugins/config/validation"
)

const manual = "../../docs/configuration.md"

// TestManualExamplesAreValid reads the examples of the manual as the programs
// would.
func TestManualExamplesAreValid(t *testing.T) {
	text, err := os.ReadFile(manual)
	if err != nil {
		t.Fatal(err)
	}
	examples := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllSubmatch(text, -1)
	if len(examples) != 2 {
		t.Fatalf("%d examples, want one for each file", len(examples))
	}
	scheduler := &schedulerv1.KubeSchedulerConfiguration{}
	if err := DecodeStrict(examples[0][1], scheduler); err != nil {
		t.Fatal(err)
	}
	args := &v1.TrafficLocalityArgs{}
	if err := DecodeStrict(scheduler.Profiles[0].PluginConfig[0].Args.Raw, args); err != nil {
		t.Fatal(err)
	}
	defaults := &v1.TrafficLocalityArgs{}
	defaults.SetDefaults()
	args.SetDefaults()
	if err := OneLine(validation.TrafficLocalityArgs(args)); err != nil {
		t.Error(err)
	}
	if !reflect.DeepEqual(args, defaults) {
		t.Errorf("the example is called the defaults, but is %+v, not %+v", args, defaults)
	}
	if _, _, err := load(t, string(examples[1][1])); err != nil {
		t.Error(err)
	}
}

// TestManualNamesEveryField finds each field of both kinds in the manual.
func TestManualNamesEveryField(t *testing.T) {
	text, err := os.ReadFile(manual)
	if err != nil {
		t.Fatal(err)
	}
	words := regexp.MustCompile(`[A-Za-z]+`).FindAllString(string(text), -1)
	var names func(reflect.Type) []string
	names = func(kind reflect.Type) []string {
		for kind.Kind() == reflect.Pointer || kind.Kind() == reflect.Slice {
			kind = kind.Elem()
		}
		ours := strings.HasSuffix(kind.PkgPath(), "plugins/config/v1") || strings.HasSuffix(kind.PkgPath(), "telemetry/promql")
		if kind.Kind() != reflect.Struct || !ours {
			return nil
		}
		var found []string
		for name, field := range jsonFields(kind) {
			found = append(found, name)
			found = append(found, names(field)...)
		}
		return found
	}
	fields := append(names(reflect.TypeFor[v1.TelemetryConfiguration]()), names(reflect.TypeFor[v1.TrafficLocalityArgs]())...)
	if len(fields) < 25 {
		t.Fatalf("only %d fields found: %v", len(fields), fields)
	}
	for _, name := range fields {
		if !slices.Contains(words, name) {
			t.Errorf("%s does not mention the field %s", manual, name)
		}
	}
}
