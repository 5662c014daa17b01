package doctor

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimachineryversion "k8s.io/apimachinery/pkg/util/version"
	"k8s.io/component-base/version"

	"github.com/vicinity-sched/vicinity/internal/kube"
	"github.com/vicinity-sched/vicinity/internal/kubeversion"
	"github.com/vicinity-sched/vicinity/internal/show"
)

func lookCreated(_ context.Context, _ *clusterState, in *installation) []Result {
	for _, c := range in.deployment.Status.Conditions {
		if c.Type != appsv1.DeploymentReplicaFailure || c.Status != corev1.ConditionTrue {
			continue
		}
		next := in.kubectl("describe replicaset -l " + nameLabel + "=" + schedulerName)
		switch {
		case strings.Contains(c.Message, "quota"):
			next = "Add a ResourceQuota for the priority class " + in.deployment.Spec.Template.Spec.PriorityClassName + " to namespace " + in.deployment.Namespace + " (docs/install.md), then: " + next
		case strings.Contains(c.Message, "serviceaccount"):
			next = in.kubectl("create serviceaccount " + in.account())
		}
		return finding(Error, fmt.Sprintf("%s cannot create pods: %s", in.name(), fullStop(c.Message)), "Without pods, nothing is placed by its traffic, and pods that ask for the scheduler stay Pending.", next)
	}
	return allRight("Its pods are created.")
}

func lookPods(_ context.Context, s *clusterState, in *installation) []Result {
	if in.podsErr != nil {
		return notChecked(in.podsErr)
	}
	ready := 0
	var results []Result
	for i := range in.pods {
		pod := &in.pods[i]
		if pod.DeletionTimestamp != nil {
			continue
		}
		is := kube.ReadyCondition(pod)
		if is != nil && is.Status == corev1.ConditionTrue {
			ready++
		}
		if r, wrong := s.troubleOf(in, pod); wrong {
			results = append(results, r)
		}
	}
	if ready == 0 {
		for i := range results {
			results[i].Severity = Error
		}
		if len(results) == 0 && in.replicas() > 0 {
			return finding(Error, fmt.Sprintf("No pod of %s is ready.", in.name()), "Pods that ask for the scheduler stay Pending.", in.kubectl("describe deployment "+in.deployment.Name))
		}
	}
	return or(results, "%d of %d pods are ready.", ready, in.replicas())
}

// longAgo is when what ended a container is no longer news.
const longAgo = 24 * time.Hour

// troubleOf says why a pod of the scheduler is not ready, or was not.
func (s *clusterState) troubleOf(in *installation, pod *corev1.Pod) (r Result, wrong bool) {
	name := "Pod " + kube.FullName(pod.Namespace, pod.Name)
	r = Result{Severity: Warning, Why: "While no pod of the scheduler is ready, pods that ask for it stay Pending.", Next: in.kubectl("describe pod " + pod.Name)}
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
			r.What = fmt.Sprintf("%s is Pending: %s", name, fullStop(c.Message))
			return r, true
		}
	}
	for _, c := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		was := c.LastTerminationState.Terminated
		if killed := cmp.Or(c.State.Terminated, was); killed != nil && killed.Reason == "OOMKilled" && (killed.FinishedAt.IsZero() || s.Now().Sub(killed.FinishedAt.Time) < longAgo) {
			r.What = fmt.Sprintf("%s was killed because it needed more memory than its limit (%s).", name, show.Plural(int(c.RestartCount), "restart"))
			r.Next = "Raise the memory limit to the row of the sizing table that fits (check memory-limit): " + in.kubectl("set resources deployment "+in.deployment.Name+" --limits=memory=AMOUNT")
			return r, true
		}
		waiting := c.State.Waiting
		if waiting == nil || waiting.Reason == "ContainerCreating" || waiting.Reason == "PodInitializing" {
			continue
		}
		r.What = fmt.Sprintf("%s waits, %s: %s", name, show.Printable(waiting.Reason), fullStop(cmp.Or(waiting.Message, "no message")))
		switch waiting.Reason {
		case "CrashLoopBackOff":
			r.What = fmt.Sprintf("%s is in a crash loop (%s).", name, show.Plural(int(c.RestartCount), "restart"))
			r.Next = in.kubectl("logs " + pod.Name + " --previous")
		case "ImagePullBackOff", "ErrImagePull", "InvalidImageName", "ErrImageNeverPull":
			r.Next = "Push the image to where the nodes pull from, or name another: " + in.kubectl("set image deployment/"+in.deployment.Name+" "+c.Name+"=registry.example.com/vicinity-sched/vicinity-scheduler:VERSION")
		}
		return r, true
	}
	if is := kube.ReadyCondition(pod); is == nil || is.Status != corev1.ConditionTrue {
		r.What = name + " is not ready."
		if is != nil && is.Message != "" {
			r.What = fmt.Sprintf("%s is not ready: %s", name, fullStop(is.Message))
		}
		return r, true
	}
	return r, false
}

// fullStop makes a message of Kubernetes one that ends with a full stop.
func fullStop(message string) string {
	return strings.TrimRight(show.Printable(strings.Join(strings.Fields(message), " ")), ".") + "."
}

func lookVersion(_ context.Context, s *clusterState, in *installation) []Result {
	image := in.container().Image
	tag := imageTag(image)
	switch {
	case !isRelease(tag):
		return finding(Note, fmt.Sprintf("The version of %s cannot be told from its image %s.", in.name(), show.Printable(image)),
			"Doctor cannot compare it with its own.", in.kubectl("set image deployment/"+in.deployment.Name+" "+in.container().Name+"=registry.example.com/vicinity-sched/vicinity-scheduler:VERSION"))
	case !isRelease(s.Version):
		return allRight("Image %s. The version of this program is not that of a release, so the two are not compared.", show.Printable(image))
	case tag != s.Version:
		return finding(differ(tag, s.Version), fmt.Sprintf("The image of %s is %s, and this program is %s.", in.name(), show.Printable(tag), s.Version),
			"What one version says of configurations, metrics and scores may not hold for the other.", "Use the program of "+show.Printable(tag)+", or upgrade as docs/install.md says: "+in.kubectl("set image deployment/"+in.deployment.Name+" "+in.container().Name+"="+withTag(image, s.Version)))
	}
	return allRight("Version %s, as this program.", tag)
}

// differ says how much it matters that two versions of releases differ.
func differ(a, b string) Severity {
	x, y := apimachineryversion.MustParseSemantic(a), apimachineryversion.MustParseSemantic(b)
	if x.Major() == y.Major() && x.Minor() == y.Minor() {
		return Note
	}
	return Warning
}

// isRelease reports whether a version is that of a release: v1.2.3, not a commit in between.
func isRelease(v string) bool {
	parsed, err := apimachineryversion.ParseSemantic(v)
	return err == nil && strings.HasPrefix(v, "v") && parsed.PreRelease() == "" && parsed.BuildMetadata() == ""
}

func lookKubernetes(ctx context.Context, s *clusterState) []Result {
	info, err := s.Client.Discovery().ServerVersion()
	if err != nil {
		return notChecked(fmt.Errorf("asking the API server for its version: %w", err))
	}
	server, err := kubeversion.Of(info)
	if err != nil {
		return notChecked(err)
	}
	own := s.kubernetesOfScheduler(ctx)
	emulated, err := kubeversion.Emulated(own, server)
	if err != nil {
		return finding(Error, fullStop("T"+strings.TrimPrefix(err.Error(), "t")), "The scheduler stops at its start.", "Install the version of Vicinity for this Kubernetes (docs/install.md).")
	}
	return allRight("The API server is of Kubernetes %d.%d, and the scheduler of %d.%d serves it as %d.%d.", server.Major(), server.Minor(), own.Major(), own.Minor(), emulated.Major(), emulated.Minor())
}

// kubernetesOfScheduler is the version of Kubernetes that the scheduler is made of: as its
// metrics say it, or else that of this program.
func (s *clusterState) kubernetesOfScheduler(ctx context.Context) *apimachineryversion.Version {
	if found, err := s.query(ctx, "kubernetes_build_info and on (instance, job) vicinity_graph_generation"); err == nil {
		for _, sample := range found {
			// Builds that are not released say v0.0.0.
			if v, err := apimachineryversion.ParseGeneric(string(sample.Metric["git_version"])); err == nil && v.Major() > 0 {
				return apimachineryversion.MajorMinor(v.Major(), v.Minor())
			}
		}
	}
	return apimachineryversion.MustParseGeneric(version.DefaultKubeBinaryVersion)
}

func lookLease(ctx context.Context, s *clusterState, in *installation) []Result {
	if parsed, err := s.parsedScheduler(ctx); err == nil && !parsed.config.Scheduler.LeaderElection.LeaderElect {
		if in.deployment == nil || in.replicas() < 2 {
			return allRight("Leader election is off, and there is one replica.")
		}
		return finding(Error, fmt.Sprintf("Leader election is off, and %s has %d replicas.", in.name(), in.replicas()),
			"All of them place the same pods at once, against each other.", "Set leaderElection.leaderElect: true in the scheduler's configuration, or: "+in.kubectl("scale deployment "+in.deployment.Name+" --replicas=1"))
	}
	namespace, name, lease, err := s.leaseOf(ctx, in)
	full := kube.FullName(namespace, name)
	next := "kubectl -n " + namespace + " describe lease " + name
	switch {
	case in.deployment != nil && in.replicas() == 0: // there is no log
		next = in.kubectl("scale deployment " + in.deployment.Name + " --replicas=2")
	case in.deployment != nil:
		next = in.kubectl("logs deployment/" + in.deployment.Name + " --tail=20")
	}
	const why = "Nobody places the pods that ask for the scheduler: they stay Pending."
	switch {
	case apierrors.IsNotFound(err):
		return finding(Error, fmt.Sprintf("Nobody leads: there is no lease %s.", full), why, next)
	case err != nil:
		return notChecked(err)
	case !s.isHeld(lease):
		since := "it was never renewed"
		if t := lease.Spec.RenewTime; t != nil {
			since = "it was last renewed at " + show.Moment(t.Time)
		}
		return finding(Error, fmt.Sprintf("Nobody leads: no scheduler holds lease %s, %s.", full, since), why, next)
	}
	holder := *lease.Spec.HolderIdentity
	// A holder is called by its host's name, a pod's for one in the cluster.
	pod, _, _ := strings.Cut(holder, "_")
	if in.deployment != nil && in.podsErr == nil && !slices.ContainsFunc(in.pods, func(p corev1.Pod) bool { return p.Name == pod }) {
		return finding(Note, fmt.Sprintf("Lease %s is held by %s, which is not a pod of %s.", full, show.Printable(holder), in.name()),
			"The configuration and the limits that doctor looks at may not be those of the leader.", "kubectl -n "+namespace+" describe lease "+name)
	}
	return allRight("%s leads.", show.Printable(pod))
}
