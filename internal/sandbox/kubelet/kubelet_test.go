package kubelet

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
)

// program writes what it was started with into a file beside its configuration, and
// that it was asked to stop.
const program = `#!/bin/sh
config=$(echo "$1" | cut -d= -f2)
dir=$(dirname "$config")
{ echo "args $*"; echo "limit $LIMIT on $POD"; cat "$config"; cat "$(echo "$2" | cut -d= -f2)"; } > "$dir/said.part"
mv "$dir/said.part" "$OUT"
trap 'echo stopped >> "$OUT"; exit 0' TERM
if [ -n "$FAIL" ]; then echo "no such field" >&2; exit 3; fi
if [ -n "$ONCE" ]; then exit 0; fi
while :; do sleep 0.01; done
`

// scheduler returns a pod as the Deployment makes it, as its node has admitted it.
func scheduler(name, out string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "vicinity-system", Name: name, UID: "1"},
		Spec: corev1.PodSpec{
			NodeName:           "n1",
			ServiceAccountName: "vicinity-scheduler",
			Containers: []corev1.Container{{
				Name:  "scheduler",
				Image: "registry.example.com:5000/vicinity-sched/vicinity-scheduler:v0.1.0",
				Args:  []string{"--config=/etc/vicinity/scheduler.yaml", "--telemetry-config=/etc/vicinity/telemetry.yaml"},
				Env: []corev1.EnvVar{
					{Name: "LIMIT", ValueFrom: &corev1.EnvVarSource{ResourceFieldRef: &corev1.ResourceFieldSelector{Resource: "limits.memory"}}},
					{Name: "POD", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.name"}}},
					{Name: "OUT", Value: out},
				},
				Resources: corev1.ResourceRequirements{Limits: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("1Gi")}},
				VolumeMounts: []corev1.VolumeMount{
					{Name: "config", MountPath: "/etc/vicinity"},
					{Name: "credentials", MountPath: "/etc/vicinity/prometheus"},
					{Name: "token", MountPath: "/var/run/secrets/kubernetes.io/serviceaccount"},
				},
			}},
			Volumes: []corev1.Volume{
				{Name: "config", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: "config-1"}}}},
				{Name: "credentials", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "credentials", Items: []corev1.KeyToPath{{Key: "key", Path: "token"}}}}},
				{Name: "token", VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{}}},
			},
		},
		Status: corev1.PodStatus{
			Phase:      corev1.PodRunning,
			Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}},
		},
	}
}

func configMap() *corev1.ConfigMap {
	return &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: "vicinity-system", Name: "config-1"},
		Data: map[string]string{
			"scheduler.yaml": "kind: KubeSchedulerConfiguration\nclientConnection: {qps: 7}\n",
			"telemetry.yaml": "url: http://prometheus.monitoring:9090\nbearerTokenFile: /etc/vicinity/prometheus/token\n",
		},
	}
}

func secret() *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "vicinity-system", Name: "credentials"}, Data: map[string][]byte{"key": []byte("s3cret")}}
}

// run starts a Kubelet of a cluster and returns it with its directory.
func run(t *testing.T, client *fake.Clientset, changes ...func(*Options)) (*Kubelet, string) {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "program")
	if err := os.WriteFile(path, []byte(program), 0o700); err != nil {
		t.Fatal(err)
	}
	o := Options{
		Client: client,
		Kubeconfig: func(_ context.Context, namespace, account string) (string, error) {
			return "kubeconfig-of-" + namespace + "-" + account, nil
		},
		Dir: dir, Image: "vicinity-scheduler", Program: path, Backoff: 10 * time.Millisecond,
		Addresses: map[string]string{"prometheus.monitoring:9090": "127.0.0.1:7777"},
	}
	for _, change := range changes {
		change(&o)
	}
	k, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Stop)
	return k, dir
}

// eventually waits for a condition, for a time that only a defect takes.
func eventually(t *testing.T, what string, condition func() error) {
	t.Helper()
	var last error
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if last = condition(); last == nil {
			return
		}
	}
	t.Fatalf("waiting until %s: %v", what, last)
}

// says waits until a file has all of some texts, and returns it.
func says(t *testing.T, path string, texts ...string) string {
	t.Helper()
	var content string
	eventually(t, path+" is written", func() error {
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		content = string(data)
		for _, text := range texts {
			if !strings.Contains(content, text) {
				return fmt.Errorf("it has no %q:\n%s", text, content)
			}
		}
		return nil
	})
	return content
}

// TestRun runs a pod as its Deployment describes it, until it is deleted.
func TestRun(t *testing.T) {
	out := filepath.Join(t.TempDir(), "said")
	client := fake.NewClientset(configMap(), secret(), scheduler("a", out))
	k, dir := run(t, client)
	own := filepath.Join(dir, "vicinity-system_a_1")
	volumes := filepath.Join(own, "volumes")
	says(t, out,
		"args --config="+filepath.Join(own, "scheduler.yaml")+" --telemetry-config="+filepath.Join(volumes, "config", "telemetry.yaml")+" ",
		"--authentication-kubeconfig=kubeconfig-of-vicinity-system-vicinity-scheduler ", "--bind-address=127.0.0.1 --secure-port=",
		"limit 1073741824 on a\n",
		"kubeconfig: kubeconfig-of-vicinity-system-vicinity-scheduler\n", "qps: 7\n",
		"url: http://127.0.0.1:7777\n", "bearerTokenFile: "+filepath.Join(volumes, "credentials", "token")+"\n")
	if token, err := os.ReadFile(filepath.Join(volumes, "credentials", "token")); err != nil || string(token) != "s3cret" {
		t.Errorf("the Secret's file has %q, %v", token, err)
	}
	pods := k.Pods()
	if len(pods) != 1 || pods[0].Name != "a" || !strings.HasPrefix(pods[0].URL, "https://127.0.0.1:") {
		t.Errorf("it runs %+v", pods)
	}
	if err := client.CoreV1().Pods("vicinity-system").Delete(t.Context(), "a", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	says(t, out, "\nstopped\n")
	eventually(t, "its files are gone", func() error {
		if _, err := os.Stat(own); !errors.Is(err, fs.ErrNotExist) {
			return errors.Join(errors.New("they are there"), err)
		}
		return nil
	})
	if pods := k.Pods(); len(pods) != 0 {
		t.Errorf("it still runs %+v", pods)
	}
}

// TestVariablesAreNoOptions has a variable that a program which sets variables could take for
// an option of its own, and so run something else.
func TestVariablesAreNoOptions(t *testing.T) {
	dir := t.TempDir()
	out, other := filepath.Join(dir, "said"), filepath.Join(dir, "other")
	pod := scheduler("a", out)
	pod.Spec.Containers[0].Env = append([]corev1.EnvVar{{Name: "--split-string", Value: "touch " + other}}, pod.Spec.Containers[0].Env...)
	run(t, fake.NewClientset(configMap(), secret(), pod))
	says(t, out, "args ")
	if _, err := os.Stat(other); !os.IsNotExist(err) {
		t.Errorf("a variable was run: %v", err)
	}
}

// TestSameNameAgain has a pod that takes the place, and the name, of another one.
func TestSameNameAgain(t *testing.T) {
	first, second := filepath.Join(t.TempDir(), "said"), filepath.Join(t.TempDir(), "said")
	client := fake.NewClientset(configMap(), secret(), scheduler("a", first))
	_, dir := run(t, client)
	says(t, first, "args ")
	if err := client.CoreV1().Pods("vicinity-system").Delete(t.Context(), "a", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	again := scheduler("a", second)
	again.UID = "2"
	if _, err := client.CoreV1().Pods("vicinity-system").Create(t.Context(), again, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	says(t, first, "\nstopped\n")
	says(t, second, "args ")
	eventually(t, "the files of the first are gone", func() error {
		if _, err := os.Stat(filepath.Join(dir, "vicinity-system_a_1")); !errors.Is(err, fs.ErrNotExist) {
			return errors.Join(errors.New("they are there"), err)
		}
		return nil
	})
	if _, err := os.Stat(filepath.Join(dir, "vicinity-system_a_2", "scheduler.yaml")); err != nil {
		t.Errorf("the files of the second: %v", err)
	}
}

// TestNotRun has pods that are none of its business, and one that is, by which it is
// known that the others have been seen.
func TestNotRun(t *testing.T) {
	out := t.TempDir()
	objects := map[string]func(*corev1.Pod){
		"another image":       func(p *corev1.Pod) { p.Spec.Containers[0].Image = "registry.example.com/vicinity-scheduler-x:v1" },
		"not scheduled":       func(p *corev1.Pod) { p.Spec.NodeName = "" },
		"not admitted":        func(p *corev1.Pod) { p.Status.Phase = corev1.PodPending },
		"refused by its node": func(p *corev1.Pod) { p.Status.Phase = corev1.PodFailed },
	}
	client := fake.NewClientset(configMap(), secret())
	k, _ := run(t, client)
	for what, change := range objects {
		name := strings.ReplaceAll(what, " ", "-")
		pod := scheduler(name, filepath.Join(out, name))
		pod.UID += pod.UID + "-" // another one
		change(pod)
		if _, err := client.CoreV1().Pods(pod.Namespace).Create(t.Context(), pod, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	last := scheduler("z", filepath.Join(out, "z"))
	last.Spec.Containers[0].Image = "vicinity-scheduler@sha256:00"
	if _, err := client.CoreV1().Pods(last.Namespace).Create(t.Context(), last, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	says(t, filepath.Join(out, "z"), "args ")
	if pods := k.Pods(); len(pods) != 1 || pods[0].Name != "z" {
		t.Errorf("it runs %+v, want z alone", pods)
	}
}

// TestRestart has a program that ends at once: it is begun again, and the pod says so.
func TestRestart(t *testing.T) {
	pod := scheduler("a", filepath.Join(t.TempDir(), "said"))
	pod.Spec.Containers[0].Env = append(pod.Spec.Containers[0].Env, corev1.EnvVar{Name: "FAIL", Value: "1"})
	client := fake.NewClientset(configMap(), secret(), pod)
	run(t, client)
	eventually(t, "the pod says so", func() error {
		got, err := client.CoreV1().Pods(pod.Namespace).Get(t.Context(), "a", metav1.GetOptions{})
		if err != nil || len(got.Status.ContainerStatuses) == 0 {
			return fmt.Errorf("no status: %w", err)
		}
		s := got.Status.ContainerStatuses[0]
		last := s.LastTerminationState.Terminated
		if s.RestartCount < 2 || last == nil || last.ExitCode != 3 || !strings.Contains(last.Message, "no such field") || got.Status.Conditions[0].Status != corev1.ConditionFalse {
			return fmt.Errorf("it is %+v, %+v", s, got.Status.Conditions)
		}
		return nil
	})
}

// TestRunOnce has pods that are not begun again: they have succeeded, or failed.
func TestRunOnce(t *testing.T) {
	cases := map[string]struct {
		env    string
		policy corev1.RestartPolicy
		want   corev1.PodPhase
	}{
		"never, and it fails":           {"FAIL=1", corev1.RestartPolicyNever, corev1.PodFailed},
		"never, and it succeeds":        {"ONCE=1", corev1.RestartPolicyNever, corev1.PodSucceeded},
		"on failure, and there is none": {"ONCE=1", corev1.RestartPolicyOnFailure, corev1.PodSucceeded},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			pod := scheduler("a", filepath.Join(t.TempDir(), "said"))
			pod.Spec.RestartPolicy = tc.policy
			variable, value, _ := strings.Cut(tc.env, "=")
			pod.Spec.Containers[0].Env = append(pod.Spec.Containers[0].Env, corev1.EnvVar{Name: variable, Value: value})
			client := fake.NewClientset(configMap(), secret(), pod)
			run(t, client)
			eventually(t, "the pod has ended", func() error {
				got, err := client.CoreV1().Pods(pod.Namespace).Get(t.Context(), "a", metav1.GetOptions{})
				if err != nil || got.Status.Phase != tc.want {
					return fmt.Errorf("it is %s, want %s: %w", got.Status.Phase, tc.want, err)
				}
				return nil
			})
		})
	}
}

// TestMissingConfigMap has a pod that cannot start until its ConfigMap is there.
func TestMissingConfigMap(t *testing.T) {
	out := filepath.Join(t.TempDir(), "said")
	client := fake.NewClientset(secret(), scheduler("a", out))
	run(t, client)
	eventually(t, "the pod says so", func() error {
		got, err := client.CoreV1().Pods("vicinity-system").Get(t.Context(), "a", metav1.GetOptions{})
		if err != nil {
			return err
		}
		if len(got.Status.ContainerStatuses) == 0 || got.Status.ContainerStatuses[0].State.Waiting == nil ||
			got.Status.ContainerStatuses[0].State.Waiting.Reason != "CreateContainerConfigError" ||
			!strings.Contains(got.Status.ContainerStatuses[0].State.Waiting.Message, `configmaps "config-1" not found`) {
			return errors.New("it does not")
		}
		return nil
	})
	if _, err := client.CoreV1().ConfigMaps("vicinity-system").Create(t.Context(), configMap(), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	says(t, out, "args ")
}

// TestReady has nodes that leave the pod alone: it is Running once its process is, and
// Ready when that says so.
func TestReady(t *testing.T) {
	out := filepath.Join(t.TempDir(), "said")
	pod := scheduler("a", out)
	pod.Status = corev1.PodStatus{Phase: corev1.PodPending}
	client := fake.NewClientset(configMap(), secret(), pod)
	ready := make(chan struct{})
	run(t, client, func(o *Options) {
		o.Unplayed = true
		o.Ready = func(_ context.Context, url string) bool {
			select {
			case <-ready:
				return strings.HasPrefix(url, "https://127.0.0.1:")
			default:
				return false
			}
		}
	})
	is := func(want corev1.ConditionStatus) {
		eventually(t, "the pod runs, and its readiness is "+string(want), func() error {
			got, err := client.CoreV1().Pods(pod.Namespace).Get(t.Context(), "a", metav1.GetOptions{})
			if err != nil || got.Status.Phase != corev1.PodRunning || len(got.Status.Conditions) != 2 ||
				got.Status.Conditions[0].Status != want || got.Status.ContainerStatuses[0].Ready != (want == corev1.ConditionTrue) {
				return fmt.Errorf("it is %+v, %w", got.Status, err)
			}
			return nil
		})
	}
	says(t, out, "args ")
	is(corev1.ConditionFalse)
	close(ready)
	is(corev1.ConditionTrue)
}
