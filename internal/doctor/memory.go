package doctor

import (
	"context"
	"fmt"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

const groupMemory = "Memory"

func memoryChecks() []clusterCheck {
	return []clusterCheck{
		{Doc{"memory-limit", groupMemory,
			"Compares the memory limit of the scheduler's container with the sizing table, for the nodes and the unfinished pods in the cluster.",
			"warning: it is less than what these pods take; note: there is none, or it is below the table's row"}, onDeployment(lookLimit)},
		{Doc{"memory-variable", groupMemory,
			"Whether the container tells the Go runtime its limit in the environment variable `VICINITY_MEMORY_LIMIT`, in bytes.",
			"warning: it does not; error: the scheduler refuses the value"}, onDeployment(lookVariable)},
	}
}

// Size is a row of the sizing table: what the scheduler takes in a cluster of up to so many
// pods and nodes.
type Size struct {
	Pods, Nodes int
	// PodBytes is the part of the heap that one pod takes.
	PodBytes       float64
	Request, Limit string
}

// Sizes is the sizing table, as "make bench-memory" measured it. docs/install.md explains it.
func Sizes() []Size {
	return []Size{
		{10_000, 500, 24.5 * 1024, "320Mi", "512Mi"},
		{30_000, 1_500, 24.1 * 1024, "896Mi", "1280Mi"},
		{100_000, 5_000, 23.9 * 1024, "2816Mi", "4Gi"},
	}
}

// sizeFor returns the first row that the cluster is within, or else the last one.
func sizeFor(pods, nodes int) Size {
	all := Sizes()
	for _, size := range all {
		if pods <= size.Pods && nodes <= size.Nodes {
			return size
		}
	}
	return all[len(all)-1]
}

// limitOverHeap is how much more than the heap the limit has to be: the least of the table.
const limitOverHeap = 1.7

func lookLimit(_ context.Context, s *clusterState, in *installation) []Result {
	o := s.Inventory
	if err := o.without(kindPod, kindNode); err != nil {
		return notChecked(err)
	}
	size := sizeFor(len(o.pods), len(o.nodes))
	cluster := fmt.Sprintf("%d unfinished pods and %d nodes", len(o.pods), len(o.nodes))
	next := in.kubectl(fmt.Sprintf("set resources deployment %s --requests=memory=%s --limits=memory=%s", in.deployment.Name, size.Request, size.Limit))
	limit, ok := in.container().Resources.Limits[corev1.ResourceMemory]
	least := resource.NewQuantity(int64(float64(len(o.pods))*size.PodBytes*limitOverHeap), resource.BinarySI)
	switch {
	case !ok:
		return finding(Note, fmt.Sprintf("The container of %s has no memory limit.", in.name()),
			fmt.Sprintf("The Go runtime does not know what to keep to. For %s, the sizing table has %s.", cluster, size.Limit), next)
	case limit.Cmp(*least) < 0:
		return finding(Warning, fmt.Sprintf("The memory limit of %s is %s, and %s take about %s at the start.", in.name(), limit.String(), cluster, inMebibytes(least)),
			"The kernel may end the scheduler while it reads the cluster; then its pods wait.", next)
	case limit.Cmp(resource.MustParse(size.Limit)) < 0:
		return finding(Note, fmt.Sprintf("The memory limit of %s is %s; the sizing table has %s for %s.", in.name(), limit.String(), size.Limit, cluster),
			"It is enough for these pods, but leaves less room for traffic and growth.", next)
	}
	return allRight("The memory limit of %s is enough for %s.", limit.String(), cluster)
}

// inMebibytes rounds an amount up.
func inMebibytes(q *resource.Quantity) string {
	return fmt.Sprintf("%dMi", (q.Value()+1<<20-1)>>20)
}

// memoryVariable is what cmd/vicinity-scheduler reads its limit from.
const memoryVariable = "VICINITY_MEMORY_LIMIT"

func lookVariable(_ context.Context, _ *clusterState, in *installation) []Result {
	const why = "The Go runtime collects garbage too late, and the kernel may end the scheduler at its limit."
	next := "Add it to the container's env, as manifests/base does: {name: " + memoryVariable + ", valueFrom: {resourceFieldRef: {resource: limits.memory}}}: " + in.kubectl("edit deployment "+in.deployment.Name)
	var variable *corev1.EnvVar
	for i := range in.container().Env {
		switch e := &in.container().Env[i]; e.Name {
		case memoryVariable:
			variable = e
		case "GOMEMLIMIT":
			return allRight("GOMEMLIMIT is set.")
		}
	}
	switch {
	case variable == nil:
		return finding(Warning, fmt.Sprintf("The container of %s has no environment variable %s.", in.name(), memoryVariable), why, next)
	case variable.ValueFrom == nil:
		if bytes, err := strconv.ParseUint(variable.Value, 10, 63); err != nil || bytes == 0 {
			return finding(Error, fmt.Sprintf("%s of %s is %.40q, which is not a number of bytes.", memoryVariable, in.name(), variable.Value), "The scheduler stops at its start.", next)
		}
	case variable.ValueFrom.ResourceFieldRef != nil:
		of := variable.ValueFrom.ResourceFieldRef
		if one := resource.MustParse("1"); of.Resource != "limits.memory" || !of.Divisor.IsZero() && of.Divisor.Cmp(one) != 0 {
			return finding(Warning, fmt.Sprintf("%s of %s is %s in units of %s, not limits.memory in bytes.", memoryVariable, in.name(), of.Resource, of.Divisor.String()), "The Go runtime keeps to another limit than the container's.", next)
		}
	}
	return allRight("The Go runtime knows the container's limit.")
}
