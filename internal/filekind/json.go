package filekind

import (
	"bytes"
	"encoding/json"
	"strings"
)

// object is what is at the top of a JSON object: its keys, and those values that are
// strings.
type object map[string]string

func (o object) has(keys ...string) bool {
	for _, key := range keys {
		if _, ok := o[key]; !ok {
			return false
		}
	}
	return true
}

// ofJSON recognises a JSON object that may be cut off.
func ofJSON(text []byte) File {
	if text[0] != '{' {
		return File{}
	}
	o := topOf(text)
	switch {
	case strings.HasPrefix(o["schema"], "vicinity.graph/"):
		return File{
			GraphJSON, "the JSON output of vicinity graph",
			"convert it to an edge list with the jq command in docs/replay.md, then: vicinity replay EDGES.csv --cluster CLUSTER.json",
		}
	case strings.HasPrefix(o["schema"], "vicinity.replay/"), strings.HasPrefix(o["apiVersion"], "report.vicinity.dev/"):
		return File{ReplayJSON, "a report of vicinity replay", "give the input that the report was made from"}
	case strings.HasPrefix(o["format"], "vicinity.recording/"):
		return recordingPart("the manifest of a recording")
	case o.has("type", "time") && (o["type"] == "BOOKMARK" || o.has("object")):
		return recordingPart("a file of objects from a recording")
	case o.has("status", "data") && (o["status"] == "success" || o["status"] == "error"), o.has("status", "errorType"):
		return File{PrometheusAnswer, "an answer of Prometheus' API", "let vicinity ask Prometheus itself: see vicinity record --help"}
	case o.has("ServiceList"), o.has("MachineList"), o.has("TrafficList"):
		return File{ByteDance, "a cluster of ByteDance's research-cluster-dataset", "give it as INPUT, without --cluster: vicinity replay FILE"}
	}
	return ofKind(o["apiVersion"], o["kind"], o.has("items"))
}

// topOf reads as far as the object goes.
func topOf(text []byte) object {
	o := object{}
	d := json.NewDecoder(bytes.NewReader(text))
	if _, err := d.Token(); err != nil {
		return o
	}
	for d.More() {
		token, err := d.Token()
		key, ok := token.(string)
		if err != nil || !ok {
			return o
		}
		var value any
		err = d.Decode(&value)
		o[key], _ = value.(string)
		if err != nil {
			return o
		}
	}
	return o
}

// ofKind recognises what has a kind and an API version, or the items of a list whose
// kind comes later.
func ofKind(version, kind string, items bool) File {
	switch {
	case kind == "TelemetryConfiguration":
		return File{TelemetryConfiguration, "a TelemetryConfiguration", "give it with --telemetry-config"}
	case kind == "KubeSchedulerConfiguration":
		return File{
			SchedulerConfiguration, "a KubeSchedulerConfiguration",
			"vicinity replay takes it with --scheduler-config, vicinity-scheduler with --config",
		}
	case kind == "Config" && version == "v1":
		return File{Kubeconfig, "a kubeconfig", "get the cluster's objects with kubectl: see vicinity replay --help"}
	case strings.HasPrefix(version, "config.vicinity.dev/"), strings.HasPrefix(version, "kubescheduler.config.k8s.io/"):
		return File{} // with a kind that is misspelt
	case version != "" && (kind != "" || items):
		return File{
			KubernetesObjects, "a list of Kubernetes objects",
			"give it with --cluster, beside the traffic: vicinity replay EDGES.csv --cluster FILE",
		}
	}
	return File{}
}
