package doctor

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"

	"github.com/vicinity-sched/vicinity/internal/kube"
	"github.com/vicinity-sched/vicinity/internal/show"
)

func lookInstalled(ctx context.Context, s *clusterState) []Result {
	const install = "Install Vicinity as docs/install.md says, or give its Deployment the label " + nameLabel + "=" + schedulerName + " if it is there without it."
	in, err := s.installed(ctx)
	if err != nil {
		return notChecked(err)
	}
	held := slices.IndexFunc(in.leases, func(l coordinationv1.Lease) bool { return s.isHeld(&l) })
	waiting, placed := s.podsByDefault()
	unseen := cmp.Or(in.othersErr, in.leasesErr, s.Inventory.without(kindPod))
	switch {
	case in.deployment != nil:
		return allRight("%s.", in.name())
	case s.Namespace != "" || s.Name != "":
		return finding(Error, fmt.Sprintf("There is no Deployment %s with the label %s=%s.", kube.FullName(s.Namespace, cmp.Or(s.Name, "of any name")), nameLabel, schedulerName),
			"Doctor was told to look there.", cmp.Or(in.lookAtOthers(), "kubectl get deployments -A -l "+nameLabel+"="+schedulerName))
	case len(in.elsewhere) > 0:
		return finding(Note, fmt.Sprintf("The scheduler runs without a Deployment, in %s.", listed(in.elsewhere)),
			"Doctor does not find its configuration by itself.", "vicinity doctor --scheduler-config FILE --telemetry-config FILE, with the files that it was started with.")
	case held >= 0:
		return finding(Note, fmt.Sprintf("The scheduler runs outside a Deployment: %s holds lease %s.", *in.leases[held].Spec.HolderIdentity, kube.FullName(in.leases[held].Namespace, schedulerName)),
			"Doctor finds neither its pods nor its configuration.", "vicinity doctor --scheduler-config FILE --telemetry-config FILE, with the files that it was started with.")
	case unseen != nil: // it may be there
		return notChecked(unseen)
	case len(waiting) > 0:
		return finding(Error, fmt.Sprintf("No scheduler is installed, but pods wait for schedulerName %s: %s.", profileByDefault, listed(waiting)),
			"These pods stay Pending until a scheduler serves that name.", install)
	case len(placed) > 0:
		return finding(Warning, fmt.Sprintf("No scheduler was found, but pods with schedulerName %s run: %s.", profileByDefault, listed(placed)),
			"If no scheduler serves that name, the pods that replace them stay Pending.",
			"If a scheduler without a Deployment and a lease serves it: vicinity doctor --scheduler-config FILE --telemetry-config FILE. Otherwise install Vicinity (docs/install.md), or take these pods back (docs/quickstart.md): kubectl get pods -A --field-selector spec.schedulerName="+profileByDefault)
	}
	return finding(Note, "Vicinity is not installed in this cluster.", "No pod is placed by its traffic. What it would save can be found out without an installation.", install)
}

// deploymentName is what the flag --scheduler takes.
func deploymentName(d *appsv1.Deployment) string { return kube.FullName(d.Namespace, d.Name) }

// withReady is a Deployment with the number of its ready pods.
func withReady(d *appsv1.Deployment) string {
	return deploymentName(d) + " (" + show.Plural(int(d.Status.ReadyReplicas), "ready pod") + ")"
}

// lookAtOthers is how to look at the other Deployments, of many the first ones; "" where there
// is none.
func (in *installation) lookAtOthers() string {
	var commands []string
	for _, d := range in.others[:min(len(in.others), mostListed)] {
		commands = append(commands, "vicinity doctor --scheduler "+deploymentName(d))
	}
	if more := len(in.others) - len(commands); more > 0 {
		commands = append(commands, fmt.Sprintf("and so on for %d more", more))
	}
	return strings.Join(commands, "; ")
}

func lookSingle(ctx context.Context, s *clusterState) []Result {
	in, err := s.installed(ctx)
	if err != nil {
		return notChecked(err)
	}
	var held []string
	for i := range in.leases {
		if s.isHeld(&in.leases[i]) {
			held = append(held, kube.FullName(in.leases[i].Namespace, in.leases[i].Name))
		}
	}
	const why = "Two leaders that serve the same schedulerName place the same pods at once, against each other."
	switch {
	case in.deployment == nil && len(in.others) > 0:
		return dependsOn("scheduler-installed")
	case len(in.others) > 0:
		var others []string
		for _, d := range in.others {
			others = append(others, withReady(d))
		}
		what := fmt.Sprintf("There are %d installations. Doctor looked at %s, and not at %s.", len(others)+1, withReady(in.deployment), listed(others))
		if s.serveOtherNames(ctx, in.others) {
			return finding(Note, what+" They serve different names.", "All other results about the scheduler are of the first one alone.", in.lookAtOthers())
		}
		return finding(Warning, what, why, "Remove one, or give each profile another schedulerName. To look at the others: "+in.lookAtOthers())
	case len(held) > 1:
		return finding(Warning, fmt.Sprintf("Several leases are held: %s.", listed(held)), why, "Stop all but one of the schedulers: kubectl get leases -A --field-selector metadata.name="+schedulerName)
	}
	if err := cmp.Or(in.othersErr, in.leasesErr); err != nil {
		return notChecked(err)
	}
	return allRight("No second installation was found.")
}

// serveOtherNames reports whether the configurations of other Deployments can be read, and serve
// no schedulerName of this installation.
func (s *clusterState) serveOtherNames(ctx context.Context, others []*appsv1.Deployment) bool {
	ours, err := s.parsedScheduler(ctx)
	if err != nil {
		return false
	}
	for _, d := range others {
		theirs, err := s.namesOf(ctx, d)
		if err != nil || slices.ContainsFunc(ours.served(), func(name string) bool { return slices.Contains(theirs, name) }) {
			return false
		}
	}
	return true
}

// namesOf returns the schedulerNames of the profiles of a Deployment.
func (s *clusterState) namesOf(ctx context.Context, d *appsv1.Deployment) ([]string, error) {
	names := s.names[d]
	if names == nil {
		names = &memo[[]string]{}
		s.names[d] = names
	}
	return names.get(func() ([]string, error) {
		parsed, err := parseScheduler(s.mountedFile(ctx, &installation{deployment: d}, configFlag))
		if err != nil {
			return nil, err
		}
		return parsed.served(), nil
	})
}

// servedBy returns the other Deployment whose configuration serves a schedulerName, nil where
// none is known to.
func (s *clusterState) servedBy(ctx context.Context, name string) *appsv1.Deployment {
	in, err := s.installed(ctx)
	if err != nil {
		return nil
	}
	for _, d := range in.others {
		if names, err := s.namesOf(ctx, d); err == nil && slices.Contains(names, name) {
			return d
		}
	}
	return nil
}
