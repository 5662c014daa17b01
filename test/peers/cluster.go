package main

import (
	"cmp"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// cluster is what "vicinity replay --write" wrote.
type cluster struct {
	nodes     []*corev1.Node
	workloads []*workload // in the file's order, which arrivals depend on
	objects   []runtime.Object
	edges     []edge
}

// workload is a controller with the pods that it wants.
type workload struct {
	name     string // namespace/name
	template *corev1.Pod
	replicas int
	// fixed workloads, which are DaemonSets, have their pods at these nodes.
	fixed bool
	at    []string
}

// edge is the traffic of one workload's calls to another.
type edge struct {
	from, to       string
	bytesPerSecond float64 // both directions
}

// readCluster reads a List of objects and a list of edges.
func readCluster(objects, edges string) (*cluster, error) {
	data, err := os.ReadFile(objects)
	if err != nil {
		return nil, err // names the path
	}
	c := &cluster{}
	if err := c.addObjects(data); err != nil {
		return nil, fmt.Errorf("reading %s: %w", objects, err)
	}
	file, err := os.Open(edges)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if c.edges, err = readEdges(file); err != nil {
		return nil, fmt.Errorf("reading %s: %w", edges, err)
	}
	return c, nil
}

func (c *cluster) addObjects(list []byte) error {
	var items struct {
		Items []json.RawMessage `json:"items"`
	}
	if err := json.Unmarshal(list, &items); err != nil {
		return err
	}
	known := map[string]*workload{}
	for i, raw := range items.Items {
		var kind metav1.TypeMeta
		if err := json.Unmarshal(raw, &kind); err != nil {
			return fmt.Errorf("item %d: %w", i, err)
		}
		var object runtime.Object
		switch kind.Kind {
		case "Node":
			object = &corev1.Node{}
		case "Pod":
			object = &corev1.Pod{}
		case "Service":
			object = &corev1.Service{}
		case "Namespace":
			object = &corev1.Namespace{}
		case "ReplicationController":
			object = &corev1.ReplicationController{}
		case "ReplicaSet":
			object = &appsv1.ReplicaSet{}
		case "StatefulSet":
			object = &appsv1.StatefulSet{}
		default:
			continue
		}
		if err := json.Unmarshal(raw, object); err != nil {
			return fmt.Errorf("item %d, a %s: %w", i, kind.Kind, err)
		}
		switch object := object.(type) {
		case *corev1.Node:
			c.nodes = append(c.nodes, object)
		case *corev1.Pod:
			c.addPod(known, object)
		default:
			c.objects = append(c.objects, object)
		}
	}
	return nil
}

// addPod counts a pod to its workload, whose first pod is the template.
func (c *cluster) addPod(known map[string]*workload, pod *corev1.Pod) {
	owner := metav1.GetControllerOf(pod)
	name := workloadOf(pod, owner)
	w := known[name]
	if w == nil {
		w = &workload{name: name, template: pod.DeepCopy(), fixed: owner != nil && owner.Kind == "DaemonSet"}
		w.template.Spec.NodeName = ""
		known[name] = w
		c.workloads = append(c.workloads, w)
	}
	w.replicas++
	if w.fixed && pod.Spec.NodeName != "" {
		w.at = append(w.at, pod.Spec.NodeName)
	}
}

// workloadOf returns namespace/name of a pod's Deployment, or of what else
// controls it.
func workloadOf(pod *corev1.Pod, owner *metav1.OwnerReference) string {
	if owner == nil {
		return pod.Namespace + "/" + pod.Name
	}
	name := owner.Name
	if hash := pod.Labels[appsv1.DefaultDeploymentUniqueLabelKey]; owner.Kind == "ReplicaSet" && hash != "" {
		name = strings.TrimSuffix(name, "-"+hash)
	}
	return pod.Namespace + "/" + name
}

// readEdges reads CSV with the columns from, to, bytes_per_second and, if
// present, received_bytes_per_second.
func readEdges(r io.Reader) ([]edge, error) {
	in := csv.NewReader(r)
	header, err := in.Read()
	if err != nil {
		return nil, fmt.Errorf("the header: %w", err)
	}
	from, to, sent := slices.Index(header, "from"), slices.Index(header, "to"), slices.Index(header, "bytes_per_second")
	received := slices.Index(header, "received_bytes_per_second")
	if min(from, to, sent) < 0 {
		return nil, fmt.Errorf("the header %q lacks from, to or bytes_per_second", header)
	}
	var edges []edge
	for {
		row, err := in.Read()
		if errors.Is(err, io.EOF) {
			return edges, nil
		}
		if err != nil {
			return nil, err
		}
		e := edge{from: row[from], to: row[to]}
		for _, column := range []int{sent, received} {
			if column < 0 || row[column] == "" {
				continue
			}
			rate, err := strconv.ParseFloat(row[column], 64)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", header[column], err)
			}
			e.bytesPerSecond += rate
		}
		edges = append(edges, e)
	}
}

// writeAssignment writes where the pods of each workload are, as "vicinity
// replay --assignment" reads it.
func writeAssignment(w io.Writer, c *cluster, placed map[*workload][]string) error {
	out := csv.NewWriter(w)
	rows := [][]string{{"workload", "node", "pods"}}
	for _, workload := range c.workloads {
		pods := map[string]int{}
		for _, node := range placed[workload] {
			pods[node]++
		}
		for _, node := range c.nodes {
			if n := pods[node.Name]; n > 0 {
				rows = append(rows, []string{workload.name, node.Name, strconv.Itoa(n)})
			}
		}
	}
	return cmp.Or(out.WriteAll(rows), out.Error())
}
