package kube

import (
	"fmt"
	"strings"
	"testing"
)

// twoNodes is what most inputs begin with.
const twoNodes = `---
{apiVersion: v1, kind: Node, metadata: {name: n1}, status: {allocatable: {cpu: "4", memory: 8Gi, pods: "110"}}}
---
{apiVersion: v1, kind: Node, metadata: {name: n2}, spec: {unschedulable: true}, status: {allocatable: {cpu: 3900m, memory: 1Ki, pods: "9"}}}
`

// pod is one of namespace shop; owner is kind/name, or empty.
func pod(name, owner, node, more string) string {
	owners := ""
	if kind, of, ok := strings.Cut(owner, "/"); ok {
		version := "apps/v1"
		switch kind {
		case "Job":
			version = "batch/v1"
		case "Node", "ReplicationController":
			version = "v1"
		}
		owners = fmt.Sprintf(`, ownerReferences: [{apiVersion: %s, kind: %s, name: %s, controller: true}]`, version, kind, of)
	}
	labels, rest, _ := strings.Cut(more, "|")
	if rest == "" {
		rest = "spec: {nodeName: " + node + ", containers: [{name: a, resources: {requests: {cpu: 100m, memory: 1Mi}}}]}"
	} else {
		rest = strings.ReplaceAll(rest, "NODE", node)
	}
	return fmt.Sprintf("---\n{apiVersion: v1, kind: Pod, metadata: {namespace: shop, name: %s, labels: {%s}%s}, %s}\n", name, labels, owners, rest)
}

// generated notes in a pod that its name was generated.
func generated(pod, prefix string) string {
	return strings.Replace(pod, "metadata: {", "metadata: {generateName: "+prefix+", ", 1)
}

// object is one of namespace shop with a spec.
func object(version, kind, name, spec string) string {
	return fmt.Sprintf("---\n{apiVersion: %s, kind: %s, metadata: {namespace: shop, name: %s}, spec: {%s}}\n", version, kind, name, spec)
}

// owned adds an owner of kind apps/v1 to the metadata of an object.
func owned(object, owner string) string {
	kind, of, _ := strings.Cut(owner, "/")
	return strings.Replace(object, "namespace: shop", fmt.Sprintf(
		"ownerReferences: [{apiVersion: apps/v1, kind: %s, name: %s, controller: true}], namespace: shop", kind, of), 1)
}

// created adds a day of creation to the metadata of an object.
func created(object string, day int) string {
	return strings.Replace(object, "namespace: shop", fmt.Sprintf("creationTimestamp: 2026-01-%02dT00:00:00Z, namespace: shop", day), 1)
}

// describe writes workloads as a test can have them at a glance:
// name x replicas, requests, what is not as usual, nodes.
func describe(r *Replayable) []string {
	var all []string
	for i, w := range r.Cluster.Workloads {
		line := fmt.Sprintf("%s x%d %dm %d", w.ID, w.Replicas, w.Requests.MilliCPU, w.Requests.Memory)
		if w.Routing != 0 {
			line += " " + w.Routing.String()
		}
		if w.Fixed {
			line += " fixed"
		}
		if r.Cluster.Assigned != nil {
			for _, n := range r.Cluster.Assigned[i] {
				line += " " + r.Cluster.Nodes[n].Node
			}
		}
		all = append(all, line)
	}
	return all
}

func translate(t *testing.T, input string) (*Replayable, []string, error) {
	t.Helper()
	o, unread, err := ReadObjects(strings.NewReader(input), "f")
	if err != nil || len(unread) > 0 {
		t.Fatalf("reading the input: %v, %v", err, unread)
	}
	r, warnings, err := o.Cluster()
	return r, lines(warnings), err
}
