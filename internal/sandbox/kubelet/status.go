package kubelet

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"os/exec"
	"slices"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"

	"github.com/vicinity-sched/vicinity/internal/sandbox/process"
)

// waiting is the state of a container whose process has ended, or could not begin.
func waiting(pod *corev1.Pod, end error, restarts int32) corev1.ContainerStatus {
	status := corev1.ContainerStatus{
		Name: pod.Spec.Containers[0].Name, Image: pod.Spec.Containers[0].Image, RestartCount: restarts, Started: new(false),
		State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{
			Reason: "CrashLoopBackOff", Message: "back-off restarting failed container",
		}},
	}
	if config := (configError{}); errors.As(end, &config) {
		status.RestartCount--
		status.State.Waiting = &corev1.ContainerStateWaiting{Reason: "CreateContainerConfigError", Message: config.Error()}
		return status
	}
	terminated := &corev1.ContainerStateTerminated{Reason: "Error", ExitCode: 1, Message: end.Error(), FinishedAt: metav1.Now()}
	exit := (*exec.ExitError)(nil)
	if errors.As(end, &exit) {
		terminated.ExitCode = int32(exit.ExitCode())
		if by, ok := exit.Sys().(syscall.WaitStatus); ok && by.Signaled() {
			terminated.ExitCode, terminated.Signal = 128+int32(by.Signal()), int32(by.Signal())
			if by.Signal() == syscall.SIGKILL {
				terminated.Reason = "OOMKilled" // nobody else kills it that way
			}
		}
	}
	status.LastTerminationState = corev1.ContainerState{Terminated: terminated}
	return status
}

// running is the state of a container whose process has begun.
func running(pod *corev1.Pod, ready bool, restarts int32) corev1.ContainerStatus {
	return corev1.ContainerStatus{
		Name: pod.Spec.Containers[0].Name, Image: pod.Spec.Containers[0].Image, RestartCount: restarts, Started: new(true), Ready: ready,
		State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.Now()}},
	}
}

// reportReady says that a process runs, and, once it is ready, that too. It returns when
// that is said, or the process or ctx has ended.
func (k *Kubelet) reportReady(ctx context.Context, child *process.Process, pod *corev1.Pod, url string, restarts int32) {
	if !k.options.Unplayed {
		if restarts > 0 {
			k.report(ctx, pod, running(pod, true, restarts))
		}
		return
	}
	k.report(ctx, pod, running(pod, false, restarts))
	for !k.options.Ready(ctx, url) {
		select {
		case <-ctx.Done():
			return
		case <-child.Done():
			return
		case <-time.After(100 * time.Millisecond):
		}
	}
	k.report(ctx, pod, running(pod, true, restarts))
}

// readyz asks a process that has signed its own certificate.
func readyz(ctx context.Context, url string) bool {
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/readyz", nil)
	if err != nil {
		return false
	}
	answer, err := (&http.Client{Transport: transport, Timeout: 5 * time.Second}).Do(request)
	if err != nil {
		return false
	}
	_ = answer.Body.Close()
	return answer.StatusCode == http.StatusOK
}

// report writes the state of a pod's first container, best effort: the next one
// replaces it.
func (k *Kubelet) report(ctx context.Context, pod *corev1.Pod, status corev1.ContainerStatus) {
	ready := corev1.ConditionFalse
	if status.Ready {
		ready = corev1.ConditionTrue
	}
	_ = retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		now, err := k.options.Client.CoreV1().Pods(pod.Namespace).Get(ctx, pod.Name, metav1.GetOptions{})
		if err != nil || now.UID != pod.UID {
			return err
		}
		if status.LastTerminationState.Terminated == nil && len(now.Status.ContainerStatuses) > 0 {
			status.LastTerminationState = now.Status.ContainerStatuses[0].LastTerminationState
		}
		now.Status.ContainerStatuses = append([]corev1.ContainerStatus{status}, now.Status.ContainerStatuses[min(1, len(now.Status.ContainerStatuses)):]...)
		if k.options.Unplayed {
			now.Status.Phase = corev1.PodRunning
			if now.Status.StartTime == nil {
				now.Status.StartTime = new(metav1.Now())
			}
		}
		for _, of := range []corev1.PodConditionType{corev1.PodReady, corev1.ContainersReady} {
			i := slices.IndexFunc(now.Status.Conditions, func(c corev1.PodCondition) bool { return c.Type == of })
			if i < 0 {
				i = len(now.Status.Conditions)
				now.Status.Conditions = append(now.Status.Conditions, corev1.PodCondition{Type: of})
			}
			if now.Status.Conditions[i].Status != ready {
				now.Status.Conditions[i].Status, now.Status.Conditions[i].LastTransitionTime = ready, metav1.Now()
			}
		}
		_, err = k.options.Client.CoreV1().Pods(pod.Namespace).UpdateStatus(ctx, now, metav1.UpdateOptions{})
		return err
	})
}
