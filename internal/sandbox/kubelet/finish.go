package kubelet

import (
	"context"
	"errors"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"

	"github.com/vicinity-sched/vicinity/internal/sandbox/process"
)

// final says whether a pod whose process has ended is not begun again.
func final(pod *corev1.Pod, end error) bool {
	if config := (configError{}); errors.As(end, &config) {
		return false
	}
	switch pod.Spec.RestartPolicy {
	case corev1.RestartPolicyNever:
		return true
	case corev1.RestartPolicyOnFailure:
		return errors.Is(end, process.ErrExited)
	}
	return false
}

// finish writes that a pod has succeeded or failed, best effort.
func (k *Kubelet) finish(ctx context.Context, pod *corev1.Pod, end error) {
	status := waiting(pod, end, 0)
	terminated, phase := status.LastTerminationState.Terminated, corev1.PodFailed
	if errors.Is(end, process.ErrExited) {
		phase = corev1.PodSucceeded
		terminated.ExitCode, terminated.Reason, terminated.Message = 0, "Completed", ""
	}
	status.State, status.LastTerminationState = corev1.ContainerState{Terminated: terminated}, corev1.ContainerState{}
	_ = retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		now, err := k.options.Client.CoreV1().Pods(pod.Namespace).Get(ctx, pod.Name, metav1.GetOptions{})
		if err != nil || now.UID != pod.UID {
			return err
		}
		now.Status.Phase, now.Status.ContainerStatuses = phase, []corev1.ContainerStatus{status}
		for i, c := range now.Status.Conditions {
			if c.Type == corev1.PodReady || c.Type == corev1.ContainersReady {
				now.Status.Conditions[i].Status = corev1.ConditionFalse
			}
		}
		_, err = k.options.Client.CoreV1().Pods(pod.Namespace).UpdateStatus(ctx, now, metav1.UpdateOptions{})
		return err
	})
}
