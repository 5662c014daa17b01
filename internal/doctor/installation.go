package doctor

import (
	"cmp"
	"context"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vicinity-sched/vicinity/internal/kube"
	"github.com/vicinity-sched/vicinity/internal/kube/objects"
	"github.com/vicinity-sched/vicinity/internal/schedulerconfig"
)

const (
	groupInstallation = "The installation"

	// schedulerName is the name of the lease and of the image, and the value of nameLabel.
	schedulerName = "vicinity-scheduler"
	nameLabel     = "app.kubernetes.io/name"

	// namespaceByDefault is that of the manifests and of the chart's documentation.
	namespaceByDefault = "vicinity-system"
)

func installationChecks() []clusterCheck {
	return []clusterCheck{
		{Doc{"scheduler-installed", groupInstallation,
			"Looks for the scheduler's Deployment by the label `" + nameLabel + "=" + schedulerName + "` in all namespaces, for its lease, and for pods with its image.",
			"note: Vicinity is not installed or runs outside a Deployment; error: pods wait for a scheduler that is not there"}, lookInstalled},
		{Doc{"scheduler-single", groupInstallation,
			"Looks for a second installation.", "warning: two schedulers may place the same pods; note: they serve different names"}, lookSingle},
		{Doc{"scheduler-pods-created", groupInstallation,
			"Whether the Deployment can create its pods: quota for the priority class, Pod Security, the ServiceAccount.", "error: a pod is refused"}, onDeployment(lookCreated)},
		{Doc{"scheduler-pods", groupInstallation,
			"Whether the scheduler's pods are ready, and if not, why: a crash loop, an image that cannot be pulled, memory, no node.",
			"error: no pod is ready; warning: some are not, or were killed for memory"}, onDeployment(lookPods)},
		{Doc{"scheduler-replicas", groupInstallation,
			"Whether a second replica stands by.", "warning: one replica; error: none"}, onDeployment(lookReplicas)},
		{Doc{"scheduler-version", groupInstallation,
			"Compares the version in the image's tag with that of this program.", "note: the tag is not a version, or the patch differs; warning: the minor differs"}, onDeployment(lookVersion)},
		{Doc{"kubernetes-version", groupInstallation,
			"Whether the scheduler serves the API server's version: its own minor and the three before.", "error: it does not"}, lookKubernetes},
		{Doc{"scheduler-leads", groupInstallation,
			"Whether somebody holds the scheduler's lease and renews it.", "error: nobody leads; note: the leader is not a pod of the Deployment"}, onInstallation(lookLease)},
	}
}

// installation is where the scheduler was found.
type installation struct {
	// deployment is nil where it runs otherwise, or not at all.
	deployment *appsv1.Deployment
	others     []*appsv1.Deployment
	pods       []corev1.Pod
	podsErr    error
	leases     []coordinationv1.Lease // that are named as ours
	leasesErr  error
	// elsewhere are pods with the scheduler's image that no Deployment of it has.
	elsewhere []string
}

// exists reports whether anything of an installation was found.
func (in *installation) exists() bool { return in.deployment != nil || len(in.elsewhere) > 0 }

// name is how results call the Deployment.
func (in *installation) name() string {
	return "Deployment " + kube.FullName(in.deployment.Namespace, in.deployment.Name)
}

// kubectl begins a command in the Deployment's namespace.
func (in *installation) kubectl(command string) string {
	return "kubectl -n " + in.deployment.Namespace + " " + command
}

// container is the scheduler's: the one that reads a configuration, or else the first.
func (in *installation) container() *corev1.Container {
	all := in.deployment.Spec.Template.Spec.Containers
	i := slices.IndexFunc(all, func(c corev1.Container) bool { return flagOf(&c, configFlag) != "" })
	if len(all) == 0 {
		return &corev1.Container{}
	}
	return &all[max(i, 0)]
}

// account is the scheduler's ServiceAccount.
func (in *installation) account() string {
	return cmp.Or(in.deployment.Spec.Template.Spec.ServiceAccountName, "default")
}

// replicas is how many pods the Deployment wants.
func (in *installation) replicas() int32 {
	if n := in.deployment.Spec.Replicas; n != nil {
		return *n
	}
	return 1
}

// installed returns where the scheduler was found.
func (s *clusterState) installed(ctx context.Context) (*installation, error) {
	return s.found.get(func() (*installation, error) {
		in := &installation{}
		if err := s.findDeployment(ctx, in); err != nil {
			return nil, err
		}
		if d := in.deployment; d != nil {
			pods, err := s.Client.CoreV1().Pods(d.Namespace).List(ctx, metav1.ListOptions{LabelSelector: metav1.FormatLabelSelector(d.Spec.Selector)})
			if in.podsErr = needs(err, "list", "", "pods", d.Namespace); err == nil {
				in.pods = pods.Items
			}
		}
		leases, err := s.Client.CoordinationV1().Leases("").List(ctx, metav1.ListOptions{FieldSelector: "metadata.name=" + schedulerName})
		if in.leasesErr = needs(err, "list", "coordination.k8s.io", "leases", ""); err == nil {
			in.leases = slices.DeleteFunc(leases.Items, func(l coordinationv1.Lease) bool { return l.Name != schedulerName })
		}
		if o, err := s.inventory(ctx); err == nil && in.deployment == nil {
			in.elsewhere = runsElsewhere(o)
		}
		return in, nil
	})
}

func (s *clusterState) findDeployment(ctx context.Context, in *installation) error {
	options := metav1.ListOptions{LabelSelector: nameLabel + "=" + schedulerName}
	list, err := s.Client.AppsV1().Deployments(s.Namespace).List(ctx, options)
	if apierrors.IsForbidden(err) && s.Namespace == "" {
		// Somebody who may not look everywhere may look where it usually is.
		if there, missing := s.Client.AppsV1().Deployments(namespaceByDefault).List(ctx, options); missing == nil {
			list, err = there, nil
		}
	}
	if err != nil {
		return needs(err, "list", "apps", "deployments", s.Namespace)
	}
	all := list.Items
	if s.Name != "" {
		all = slices.DeleteFunc(all, func(d appsv1.Deployment) bool { return d.Name != s.Name })
	}
	// Of several the one with most ready pods counts.
	slices.SortStableFunc(all, func(a, b appsv1.Deployment) int {
		return cmp.Or(cmp.Compare(b.Status.ReadyReplicas, a.Status.ReadyReplicas), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	for i := range all {
		if i == 0 {
			in.deployment = &all[i]
		} else {
			in.others = append(in.others, &all[i])
		}
	}
	return nil
}

// runsElsewhere returns the pods with the scheduler's image.
func runsElsewhere(o *inventory) (names []string) {
	for _, pod := range objects.Of[*corev1.Pod](o.all) {
		for i := range pod.Spec.Containers {
			if imageName(pod.Spec.Containers[i].Image) == schedulerName && kube.IsPeer(pod) {
				names = append(names, kube.FullName(pod.Namespace, pod.Name))
			}
		}
	}
	return names
}

// imageName is the last part of an image's name, without tag and digest.
func imageName(image string) string {
	image, _, _ = strings.Cut(image, "@")
	name, _, _ := strings.Cut(path.Base(image), ":")
	return name
}

// imageTag is the tag of an image, "" without one.
func imageTag(image string) string {
	image, _, _ = strings.Cut(image, "@")
	_, tag, _ := strings.Cut(path.Base(image), ":")
	return tag
}

// withTag is the image with another tag, and without the digest of the one that it had.
func withTag(image, tag string) string {
	image, _, _ = strings.Cut(image, "@")
	return strings.TrimSuffix(image, ":"+imageTag(image)) + ":" + tag
}

// onInstallation is a check that needs to know where the scheduler is.
func onInstallation(look func(context.Context, *clusterState, *installation) []Result) func(context.Context, *clusterState) []Result {
	return func(ctx context.Context, s *clusterState) []Result {
		in, err := s.installed(ctx)
		if err != nil {
			return notChecked(err)
		}
		if !in.exists() && !slices.ContainsFunc(in.leases, func(l coordinationv1.Lease) bool { return s.isHeld(&l) }) {
			return finding(Unchecked, "Not checked: Vicinity is not installed here.", "There is no scheduler to look at.", "See what check scheduler-installed says.")
		}
		return look(ctx, s, in)
	}
}

// onDeployment is a check that needs the scheduler's Deployment.
func onDeployment(look func(context.Context, *clusterState, *installation) []Result) func(context.Context, *clusterState) []Result {
	return onInstallation(func(ctx context.Context, s *clusterState, in *installation) []Result {
		if in.deployment == nil {
			return finding(Unchecked, "Not checked: the scheduler does not run in a Deployment.", "Doctor does not know how it was started.", "See what check scheduler-installed says.")
		}
		return look(ctx, s, in)
	})
}

func lookInstalled(ctx context.Context, s *clusterState) []Result {
	const install = "Install Vicinity as docs/install.md says, or give its Deployment the label " + nameLabel + "=" + schedulerName + " if it is there without it."
	in, err := s.installed(ctx)
	if err != nil {
		return notChecked(err)
	}
	held := slices.IndexFunc(in.leases, func(l coordinationv1.Lease) bool { return s.isHeld(&l) })
	waiting := s.waitingPods(ctx)
	switch {
	case in.deployment != nil:
		return allRight("%s.", in.name())
	case len(in.elsewhere) > 0:
		return finding(Note, fmt.Sprintf("The scheduler runs without a Deployment, in %s.", listed(in.elsewhere)),
			"Doctor does not find its configuration by itself.", "vicinity doctor --scheduler-config FILE --telemetry-config FILE, with the files that it was started with.")
	case held >= 0:
		return finding(Note, fmt.Sprintf("The scheduler runs outside a Deployment: %s holds lease %s.", *in.leases[held].Spec.HolderIdentity, kube.FullName(in.leases[held].Namespace, schedulerName)),
			"Doctor finds neither its pods nor its configuration.", "vicinity doctor --scheduler-config FILE --telemetry-config FILE, with the files that it was started with.")
	case len(waiting) > 0:
		return finding(Error, fmt.Sprintf("No scheduler is installed, but pods wait for schedulerName %s: %s.", profileByDefault, listed(waiting)),
			"These pods stay Pending until a scheduler serves that name.", install)
	case in.leasesErr != nil:
		return notChecked(in.leasesErr)
	case s.Name != "" || s.Namespace != "":
		return finding(Error, fmt.Sprintf("There is no Deployment %s with the label %s=%s.", kube.FullName(s.Namespace, cmp.Or(s.Name, "of any name")), nameLabel, schedulerName),
			"Doctor was told to look there.", "kubectl get deployments -A -l "+nameLabel+"="+schedulerName)
	}
	return finding(Note, "Vicinity is not installed in this cluster.", "No pod is placed by its traffic. What it would save can be found out without an installation.", install)
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
	var others []string
	for _, d := range in.others {
		others = append(others, kube.FullName(d.Namespace, d.Name))
	}
	switch {
	case len(others) > 0 && s.serveOtherNames(ctx, in.others):
		return finding(Note, fmt.Sprintf("There are several installations, which serve different names: %s and %s.", kube.FullName(in.deployment.Namespace, in.deployment.Name), listed(others)),
			"Doctor looks at the first one alone.", "")
	case len(others) > 0:
		return finding(Warning, fmt.Sprintf("There are several installations: %s and %s.", kube.FullName(in.deployment.Namespace, in.deployment.Name), listed(others)), why,
			"Remove one, or give each profile another schedulerName: kubectl get deployments -A -l "+nameLabel+"="+schedulerName)
	case len(held) > 1:
		return finding(Warning, fmt.Sprintf("Several leases are held: %s.", listed(held)), why, "Stop all but one of the schedulers: kubectl get leases -A --field-selector metadata.name="+schedulerName)
	case in.leasesErr != nil:
		return notChecked(in.leasesErr)
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
		theirs, err := parseScheduler(s.mountedFile(ctx, &installation{deployment: d}, configFlag))
		if err != nil || slices.ContainsFunc(theirs.profiles, func(their schedulerconfig.Profile) bool {
			return slices.ContainsFunc(ours.profiles, func(our schedulerconfig.Profile) bool { return our.Name == their.Name })
		}) {
			return false
		}
	}
	return true
}

func lookReplicas(_ context.Context, _ *clusterState, in *installation) []Result {
	switch n := in.replicas(); n {
	case 0:
		return finding(Error, in.name()+" is scaled to zero.", "Pods that ask for its scheduler stay Pending.", in.kubectl("scale deployment "+in.deployment.Name+" --replicas=2"))
	case 1:
		return finding(Warning, in.name()+" has one replica.", "While it restarts or moves, its pods wait, and then it has to read the traffic anew. A second replica stands by with a warm graph.",
			in.kubectl("scale deployment "+in.deployment.Name+" --replicas=2"))
	default:
		return allRight("%d replicas.", n)
	}
}

// isHeld reports whether somebody renews a lease. The clocks of two machines may differ.
func (s *clusterState) isHeld(l *coordinationv1.Lease) bool {
	if l.Spec.HolderIdentity == nil || *l.Spec.HolderIdentity == "" || l.Spec.RenewTime == nil {
		return false
	}
	lasts := time.Minute
	if d := l.Spec.LeaseDurationSeconds; d != nil {
		lasts = max(lasts, 2*time.Duration(*d)*time.Second)
	}
	return s.Now().Sub(l.Spec.RenewTime.Time) < lasts
}

// leaseOf returns the lease of the installation's leader election.
func (s *clusterState) leaseOf(ctx context.Context, in *installation) (namespace, name string, lease *coordinationv1.Lease, err error) {
	namespace, name = metav1.NamespaceSystem, schedulerName
	if in.deployment != nil {
		namespace = in.deployment.Namespace
	} else if len(in.leases) > 0 {
		namespace = in.leases[0].Namespace
	}
	if parsed, err := s.parsedScheduler(ctx); err == nil {
		e := parsed.config.Scheduler.LeaderElection
		namespace, name = cmp.Or(e.ResourceNamespace, namespace), cmp.Or(parsed.config.LeaseName, name)
	}
	lease, err = s.Client.CoordinationV1().Leases(namespace).Get(ctx, name, metav1.GetOptions{})
	return namespace, name, lease, needs(err, "get", "coordination.k8s.io", "leases", namespace)
}
