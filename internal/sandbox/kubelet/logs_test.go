package kubelet

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
)

// logServer serves the logs of a Kubelet as the API server asks for them.
func logServer(t *testing.T, k *Kubelet) string {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /containerLogs/{namespace}/{pod}/{container}", k.ContainerLogs)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL + "/containerLogs/vicinity-system/"
}

// ask returns the answer to a request.
func ask(t *testing.T, url string) (code int, body string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

// answers waits until a request has an answer.
func answers(t *testing.T, url string, code int, body string) {
	t.Helper()
	eventually(t, url+" answers", func() error {
		if gotCode, got := ask(t, url); gotCode != code || got != body {
			return fmt.Errorf("%d %q, want %d %q", gotCode, got, code, body)
		}
		return nil
	})
}

// printing returns a pod whose program prints a script's output.
func printing(name, script string, policy corev1.RestartPolicy) *corev1.Pod {
	pod := scheduler(name, "")
	pod.Spec.RestartPolicy = policy
	pod.Spec.Containers[0].Args = []string{"-c", script}
	pod.Spec.Containers[0].VolumeMounts, pod.Spec.Volumes = nil, nil
	return pod
}

// shell has a Kubelet run the shell in the place of the image's program.
func shell(o *Options) { o.Program = "sh" }

// TestLogsOfARunningPod follows a log to its end, which is that of its pod.
func TestLogsOfARunningPod(t *testing.T) {
	pod := printing("a", `trap 'echo stopped; exit' TERM; echo one; echo two >&2; while :; do sleep 0.01; done`, corev1.RestartPolicyAlways)
	client := fake.NewClientset(pod)
	k, _ := run(t, client, shell)
	url := logServer(t, k)
	answers(t, url+"a/scheduler", http.StatusOK, "one\ntwo\n")
	answers(t, url+"a/scheduler?tailLines=1&sinceSeconds=3600&sinceTime=2026-01-01T00:00:00Z&limitBytes=2", http.StatusOK, "tw")
	answers(t, url+"a/scheduler?previous=true", http.StatusBadRequest, `previous terminated container "scheduler" in pod "a" not found`)

	followed := make(chan string)
	began := make(chan struct{})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // that only a defect takes
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"a/scheduler?follow=true&tailLines=0", nil)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(followed)
		answer, err := http.DefaultClient.Do(request)
		close(began) // the answer begins before there is anything to read
		if err != nil {
			return
		}
		defer answer.Body.Close()
		text, _ := io.ReadAll(answer.Body)
		followed <- string(text)
	}()
	<-began
	if err := client.CoreV1().Pods(pod.Namespace).Delete(t.Context(), "a", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if got := <-followed; got != "stopped\n" {
		t.Errorf("who follows reads %q", got)
	}
	answers(t, url+"a/scheduler", http.StatusBadRequest, `pod "a" cannot be found - no logs available`)
}

// TestLogsOfARestart has a container that is begun again: while it waits, its log is that of the
// run before.
func TestLogsOfARestart(t *testing.T) {
	marks := t.TempDir()
	script := `echo run; echo >> ` + marks + `/runs; wc -l < ` + marks + `/runs | tr -d ' '; if [ $(wc -l < ` + marks + `/runs) = 2 ]; then exec sleep 600; fi; exit 1`
	pod := printing("a", script, corev1.RestartPolicyAlways)
	k, _ := run(t, fake.NewClientset(pod), shell)
	url := logServer(t, k)
	answers(t, url+"a/scheduler", http.StatusOK, "run\n2\n")
	answers(t, url+"a/scheduler?previous=true", http.StatusOK, "run\n1\n")
}

// TestLogsWithoutARun: while a container waits to be begun again, its log and that of its
// previous run are the same; one that has ended for good keeps its log.
func TestLogsWithoutARun(t *testing.T) {
	waits := printing("waits", `echo failed; exit 1`, corev1.RestartPolicyAlways)
	ends := printing("ends", `echo done`, corev1.RestartPolicyNever)
	ends.UID = "2"
	client := fake.NewClientset(waits, ends)
	k, _ := run(t, client, shell, func(o *Options) { o.Backoff = 1 << 40 })
	url := logServer(t, k)
	answers(t, url+"waits/scheduler?previous=true", http.StatusOK, "failed\n")
	answers(t, url+"waits/scheduler", http.StatusOK, "failed\n")
	eventually(t, "the pod has ended", func() error {
		got, err := client.CoreV1().Pods("vicinity-system").Get(t.Context(), "ends", metav1.GetOptions{})
		if err != nil || got.Status.Phase != corev1.PodSucceeded {
			return fmt.Errorf("it is %s: %w", got.Status.Phase, err)
		}
		return nil
	})
	answers(t, url+"ends/scheduler", http.StatusOK, "done\n")
	answers(t, url+"ends/scheduler?previous=true", http.StatusBadRequest, `previous terminated container "scheduler" in pod "ends" not found`)
}

// TestNoLogs asks for what there is not.
func TestNoLogs(t *testing.T) {
	client := fake.NewClientset()
	k, _ := run(t, client, shell)
	url := logServer(t, k)
	lacking := scheduler("lacking", "") // its ConfigMap
	simulated := printing("simulated", "echo one", corev1.RestartPolicyAlways)
	simulated.Spec.Containers[0].Image, simulated.UID = "example.com/shop:1", "2"
	unplaced := printing("unplaced", "echo one", corev1.RestartPolicyAlways)
	unplaced.Spec.NodeName, unplaced.UID = "", "3"
	for _, pod := range []*corev1.Pod{lacking, simulated, unplaced} {
		if _, err := client.CoreV1().Pods(pod.Namespace).Create(t.Context(), pod, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	for path, want := range map[string]string{
		"lacking/scheduler":            `container "scheduler" in pod "lacking" is waiting to start: CreateContainerConfigError`,
		"simulated/scheduler":          `container "scheduler" in pod "simulated" is simulated: nothing runs in it, so that it has no log`,
		"unplaced/scheduler":           `container "scheduler" in pod "unplaced" is waiting to start: ContainerCreating`,
		"unplaced/sidecar":             `container "sidecar" in pod "unplaced" is simulated: nothing runs in it, so that it has no log`,
		"gone/scheduler":               `pod "gone" cannot be found - no logs available`,
		"gone/scheduler?follow=x":      `follow: strconv.ParseBool: parsing "x": invalid syntax`,
		"gone/scheduler?tailLines=-1":  `tailLines: strconv.ParseUint: parsing "-1": invalid syntax`,
		"gone/scheduler?sinceTime=now": `sinceTime: parsing time "now" as "2006-01-02T15:04:05Z07:00": cannot parse "now" as "2006"`,
	} {
		answers(t, url+path, http.StatusBadRequest, want)
	}
}

// TestLogIsBounded has a program that prints more than is kept.
func TestLogIsBounded(t *testing.T) {
	pod := printing("a", `yes 0123456789abcde | head -c `+fmt.Sprint(maxLog+16*100)+`; echo end`, corev1.RestartPolicyNever)
	k, _ := run(t, fake.NewClientset(pod), shell)
	url := logServer(t, k)
	eventually(t, "it has ended", func() error {
		code, text := ask(t, url+"a/scheduler")
		if code != http.StatusOK || !strings.HasSuffix(text, "\nend\n") {
			return fmt.Errorf("it answers %d and %d bytes", code, len(text))
		}
		if len(text) > maxLog || len(text) < maxLog-16 {
			t.Fatalf("it has %d bytes, want the last %d", len(text), maxLog)
		}
		return nil
	})
}
