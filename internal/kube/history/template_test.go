package history

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vicinity-sched/vicinity/internal/kube/kubetest"
)

// What a pod of its own has must not stand in the template of others.
func TestTemplate(t *testing.T) {
	r, _, err := translate(t, kubetest.TwoNodes+kubetest.Object("apps/v1", "StatefulSet", "db", "")+`
---
apiVersion: v1
kind: Pod
metadata:
  name: db-0
  namespace: shop
  uid: u
  resourceVersion: "7"
  generateName: db-
  creationTimestamp: 2026-01-01T00:00:00Z
  finalizers: [x/y]
  labels: {app: db, statefulset.kubernetes.io/pod-name: db-0, apps.kubernetes.io/pod-index: "0"}
  annotations: {kubernetes.io/config.source: api, deployment.kubernetes.io/desired-replicas: "3"}
  ownerReferences:
  - {apiVersion: v1, kind: ConfigMap, name: settings}
  - {apiVersion: apps/v1, kind: StatefulSet, name: db, uid: w, controller: true}
spec:
  nodeName: n1
  hostname: db-0
  subdomain: db
  priority: 5
  tolerations: [{key: k, operator: Exists}]
  resourceClaims: [{name: gpu, resourceClaimName: g}]
  schedulingGates: [{name: wait}]
  schedulingGroup: {podGroupName: g}
  volumes: [{name: d, persistentVolumeClaim: {claimName: data-db-0}}]
  containers: [{name: a, resources: {requests: {cpu: 1m}, claims: [{name: gpu}]}}]
  affinity:
    nodeAffinity:
      requiredDuringSchedulingIgnoredDuringExecution:
        nodeSelectorTerms:
        - matchFields: [{key: metadata.name, operator: In, values: [n1]}]
          matchExpressions: [{key: disk, operator: Exists}]
status: {phase: Running, hostIP: 1.2.3.4}
`)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"kind":"Pod","apiVersion":"v1","metadata":{"name":"db","generateName":"db-","namespace":"shop","labels":{"app":"db"},"annotations":{"deployment.kubernetes.io/desired-replicas":"3"},` +
		`"ownerReferences":[{"apiVersion":"apps/v1","kind":"StatefulSet","name":"db","uid":"w","controller":true}]},` +
		`"spec":{"containers":[{"name":"a","resources":{"requests":{"cpu":"1m"}}}],` +
		`"affinity":{"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":[{"matchExpressions":[{"key":"disk","operator":"Exists"}]}]}}},` +
		`"tolerations":[{"key":"k","operator":"Exists"}],"priority":5},"status":{"phase":"Pending"}}`
	got, err := json.Marshal(r.Templates[0])
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("template (-want +got):\n%s", diff)
	}
}
