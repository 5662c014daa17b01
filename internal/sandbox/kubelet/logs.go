package kubelet

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vicinity-sched/vicinity/internal/sandbox/containerlog"
)

// maxLog is how many bytes are kept of what one run of a container prints.
const maxLog = 4 << 20

// began notes that a container runs, with its log.
func (k *Kubelet) began(g *guest, url string, log *containerlog.Log) {
	k.mu.Lock()
	defer k.mu.Unlock()
	g.pod.URL, g.log = url, log
}

// ended notes that the container does not run any more. Until it runs again, its log is
// also that of its previous run, as kubelets have it.
func (k *Kubelet) ended(g *guest, again bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	g.pod.URL = ""
	if again {
		g.previous = g.log
	}
}

// ContainerLogs answers what the API server asks a kubelet for kubectl logs. The request
// has the path values namespace, pod and container.
func (k *Kubelet) ContainerLogs(w http.ResponseWriter, r *http.Request) {
	options, err := logOptions(r.URL.Query())
	var log *containerlog.Log
	if err == nil {
		log, err = k.logOf(r.PathValue("namespace"), r.PathValue("pod"), r.PathValue("container"), options.Previous)
	}
	if err != nil {
		w.Header().Set("Content-Type", "text/plain")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, err.Error())
		return
	}
	out := flushed{w, http.NewResponseController(w)}
	_, _ = out.Write(nil)                   // who follows may wait for long
	_ = log.Copy(r.Context(), out, options) // the reader is gone when it fails
}

// flushed sends at once what is written.
type flushed struct {
	http.ResponseWriter
	controller *http.ResponseController
}

// Write implements io.Writer.
func (f flushed) Write(p []byte) (int, error) {
	n, err := f.ResponseWriter.Write(p)
	if err != nil {
		return n, err
	}
	return n, f.controller.Flush()
}

// logOf returns the log of a container, or what a kubelet says when there is none.
func (k *Kubelet) logOf(namespace, name, container string, previous bool) (*containerlog.Log, error) {
	pod, err := k.factory.Core().V1().Pods().Lister().Pods(namespace).Get(name)
	if err != nil {
		return nil, fmt.Errorf("pod %q cannot be found - no logs available", name)
	}
	if !k.isOurs(pod) || pod.Spec.Containers[0].Name != container {
		return nil, fmt.Errorf("container %q in pod %q is simulated: nothing runs in it, so that it has no log", container, name)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	g := k.pods[pod.UID]
	switch {
	case previous && (g == nil || g.previous == nil):
		return nil, fmt.Errorf("previous terminated container %q in pod %q not found", container, name)
	case previous:
		return g.previous, nil
	case g == nil || g.log == nil:
		reason := "ContainerCreating"
		if len(pod.Status.ContainerStatuses) > 0 && pod.Status.ContainerStatuses[0].State.Waiting != nil {
			reason = pod.Status.ContainerStatuses[0].State.Waiting.Reason
		}
		return nil, fmt.Errorf("container %q in pod %q is waiting to start: %s", container, name, reason)
	}
	return g.log, nil
}

// logOptions reads what the API server makes of the options of kubectl logs. It has checked
// them; this says only what cannot be read.
func logOptions(query url.Values) (corev1.PodLogOptions, error) {
	var o corev1.PodLogOptions
	for name, into := range map[string]*bool{"follow": &o.Follow, "previous": &o.Previous, "timestamps": &o.Timestamps} {
		if text := query.Get(name); text != "" {
			value, err := strconv.ParseBool(text)
			if err != nil {
				return o, fmt.Errorf("%s: %w", name, err)
			}
			*into = value
		}
	}
	for name, into := range map[string]**int64{"tailLines": &o.TailLines, "sinceSeconds": &o.SinceSeconds, "limitBytes": &o.LimitBytes} {
		if text := query.Get(name); text != "" {
			value, err := strconv.ParseUint(text, 10, 31)
			if err != nil {
				return o, fmt.Errorf("%s: %w", name, err)
			}
			*into = new(int64(value))
		}
	}
	if text := query.Get("sinceTime"); text != "" {
		value, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return o, fmt.Errorf("sinceTime: %w", err)
		}
		o.SinceTime = new(metav1.NewTime(value))
	}
	return o, nil
}
