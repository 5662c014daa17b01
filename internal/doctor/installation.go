package doctor

import (
	"cmp"
	"context"
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
		{Doc{nameAccess, groupInstallation,
			"Whether you may list what the checks look at in all namespaces.", "unchecked: not all of it; what cannot be listed is named"}, lookListed},
		{Doc{"scheduler-installed", groupInstallation,
			"Looks for the scheduler's Deployment by the label `" + nameLabel + "=" + schedulerName + "` in all namespaces, for its lease, and for pods with its image.",
			"note: Vicinity is not installed or runs outside a Deployment; warning: no scheduler was found, but pods ask for it; error: such pods wait"}, lookInstalled},
		{Doc{"scheduler-single", groupInstallation,
			"Looks for a second installation. Of several, the other checks look at the one with the most ready pods, or at the one that `--scheduler` names.",
			"warning: two schedulers may place the same pods; note: they serve different names"}, lookSingle},
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
	// othersErr is why Deployments of other namespaces are not known, nil where they are.
	othersErr error
	pods      []corev1.Pod
	podsErr   error
	leases    []coordinationv1.Lease // that are named as ours
	leasesErr error
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
		in.leases, in.leasesErr = s.ourLeases(ctx)
		if in.deployment == nil {
			in.elsewhere = runsElsewhere(s.Inventory)
		}
		return in, nil
	})
}

// ourLeases returns the leases that are named as the scheduler's.
func (s *clusterState) ourLeases(ctx context.Context) ([]coordinationv1.Lease, error) {
	return s.leases.get(func() ([]coordinationv1.Lease, error) {
		list, err := s.Client.CoordinationV1().Leases("").List(ctx, metav1.ListOptions{FieldSelector: "metadata.name=" + schedulerName})
		if err != nil {
			return nil, needs(err, "list", "coordination.k8s.io", "leases", "")
		}
		return slices.DeleteFunc(list.Items, func(l coordinationv1.Lease) bool { return l.Name != schedulerName }), nil
	})
}

// findDeployment finds the Deployments of schedulers, and chooses the one to look at.
func (s *clusterState) findDeployment(ctx context.Context, in *installation) error {
	options := metav1.ListOptions{LabelSelector: nameLabel + "=" + schedulerName}
	list, err := s.Client.AppsV1().Deployments("").List(ctx, options)
	if apierrors.IsForbidden(err) {
		in.othersErr = needs(err, "list", "apps", "deployments", "")
		// Somebody who may not look everywhere may look where it usually is.
		list, err = s.Client.AppsV1().Deployments(cmp.Or(s.Namespace, namespaceByDefault)).List(ctx, options)
		if apierrors.IsForbidden(err) {
			return in.othersErr
		}
	}
	if err != nil {
		return needs(err, "list", "apps", "deployments", "")
	}
	all := list.Items
	slices.SortStableFunc(all, func(a, b appsv1.Deployment) int {
		return cmp.Or(cmp.Compare(b.Status.ReadyReplicas, a.Status.ReadyReplicas), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	for i := range all {
		isWanted := (s.Namespace == "" || all[i].Namespace == s.Namespace) && (s.Name == "" || all[i].Name == s.Name)
		if isWanted && in.deployment == nil {
			in.deployment = &all[i]
		} else {
			in.others = append(in.others, &all[i])
		}
	}
	return nil
}

// runsElsewhere returns the pods with the scheduler's image.
func runsElsewhere(o *Inventory) (names []string) {
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
		if in.deployment == nil && (s.Namespace != "" || s.Name != "") {
			return dependsOn("scheduler-installed")
		}
		if !in.exists() && !slices.ContainsFunc(in.leases, func(l coordinationv1.Lease) bool { return s.isHeld(&l) }) {
			return finding(Unchecked, unlooked+"no scheduler was found.", "There is no scheduler to look at.", "See what check scheduler-installed says.")
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
