// Package kubetest writes Kubernetes objects as YAML documents, for tests. It knows nothing
// of what is read of them.
package kubetest

import (
	"fmt"
	"strings"
)

// TwoNodes is what most inputs begin with.
const TwoNodes = `---
{apiVersion: v1, kind: Node, metadata: {name: n1}, status: {allocatable: {cpu: "4", memory: 8Gi, pods: "110"}}}
---
{apiVersion: v1, kind: Node, metadata: {name: n2}, spec: {unschedulable: true}, status: {allocatable: {cpu: 3900m, memory: 1Ki, pods: "9"}}}
`

// Pod is one of namespace shop; owner is kind/name, or empty.
func Pod(name, owner, node, more string) string {
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

// Generated notes in a pod that its name was generated.
func Generated(pod, prefix string) string {
	return strings.Replace(pod, "metadata: {", "metadata: {generateName: "+prefix+", ", 1)
}

// Object is one of namespace shop with a spec.
func Object(version, kind, name, spec string) string {
	return fmt.Sprintf("---\n{apiVersion: %s, kind: %s, metadata: {namespace: shop, name: %s}, spec: {%s}}\n", version, kind, name, spec)
}

// Owned adds an owner of kind apps/v1 to the metadata of an object.
func Owned(object, owner string) string {
	kind, of, _ := strings.Cut(owner, "/")
	return strings.Replace(object, "namespace: shop", fmt.Sprintf(
		"ownerReferences: [{apiVersion: apps/v1, kind: %s, name: %s, controller: true}], namespace: shop", kind, of), 1)
}

// Created adds a day of creation to the metadata of an object.
func Created(object string, day int) string {
	return strings.Replace(object, "namespace: shop", fmt.Sprintf("creationTimestamp: 2026-01-%02dT00:00:00Z, namespace: shop", day), 1)
}

// Identified adds a UID to the metadata of an object, and to its owner; "" is none.
func Identified(object, uid, owner string) string {
	if uid != "" {
		object = strings.Replace(object, "namespace: shop", "uid: "+uid+", namespace: shop", 1)
	}
	if owner != "" {
		object = strings.Replace(object, "controller: true", "controller: true, uid: "+owner, 1)
	}
	return object
}
