package measure

import "strings"

// Pods says which pods a case schedules.
type Pods int

const (
	// Bare pods have no controller and no traffic.
	Bare Pods = iota
	// Mesh pods belong to the workloads of the traffic graph, which take turns.
	Mesh
	// Deployments are mesh pods too, but each workload's come one after the other.
	Deployments
	// Jobs have no traffic; each Job's pods come one after the other.
	Jobs
)

// Case is one comparison. Both sides run in one cluster and differ only in the
// plugin, or in the affinity that the pods ask for.
type Case struct {
	// Name is what selects the case, without the number of nodes.
	Name string
	// Pods are the pods that are scheduled.
	Pods Pods
	// Full means that controllers want no pods beyond those that are placed: those
	// of a block are a surge and are deleted after it.
	Full bool
	// Churn publishes a new snapshot of the graph every second.
	Churn bool
	// ByHand compares preferred pod affinity for three peers, under the stock
	// profile, with no affinity; the plugin has no part in it.
	ByHand bool
	// AllNodes scores every node instead of a sample.
	AllNodes bool
	// Args are further arguments of the plugin, as members of a JSON object.
	Args string
}

// Batches reports whether consecutive pods are alike, and may share their scores.
func (c Case) Batches() bool { return c.Pods == Deployments || c.Pods == Jobs }

// HasMesh reports whether the cluster has the graph's workloads.
func (c Case) HasMesh() bool { return c.Pods != Bare }

// Cleans reports whether a block's pods are deleted after it, because they would
// change what the next block finds.
func (c Case) Cleans() bool { return c.Full || c.ByHand }

const (
	// noReserve looks at placed pods only.
	noReserve = `"reserveRoom":false`
	// nodeLocal are the arguments with which the plugin signs pods.
	nodeLocal = noReserve + `,"routing":"Uniform","closeness":{"node":1,"zone":0,"region":0},"maxShare":{"node":1,"zone":1}`

	allNodes = "-all"
)

// Cases returns every case, those of the last line first and in its order. Each
// also exists with all nodes scored, under its name with "-all" behind.
func Cases() []Case {
	sampled := []Case{
		{Name: "filling", Pods: Mesh},
		{Name: "full", Pods: Mesh, Full: true},
		{Name: "bare", Pods: Bare},
		{Name: "batching", Pods: Deployments},
		{Name: "affinity", Pods: Mesh, ByHand: true},
		{Name: "churn", Pods: Mesh, Churn: true},
		{Name: "jobs", Pods: Jobs},
		{Name: "filling-noreserve", Pods: Mesh, Args: noReserve},
		{Name: "batching-local", Pods: Deployments, Args: nodeLocal},
		{Name: "jobs-local", Pods: Jobs, Args: nodeLocal},
	}
	cases := sampled
	for _, c := range sampled {
		c.Name += allNodes
		c.AllNodes = true
		cases = append(cases, c)
	}
	return cases
}

// ofTheLine are the cases that the last line is about.
func ofTheLine() []string { return []string{"filling", "full", "bare", "batching", "affinity"} }

// lookUp returns the case of a name.
func lookUp(name string) (Case, bool) {
	for _, c := range Cases() {
		if c.Name == name {
			return c, true
		}
	}
	return Case{}, false
}

// names lists all cases for a message.
func names() string {
	var all []string
	for _, c := range Cases() {
		all = append(all, c.Name)
	}
	return strings.Join(all, ", ")
}
