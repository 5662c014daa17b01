package kubelet

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// command is what a pod's process is started with.
type command struct {
	args, env []string
	url       string
}

// prepare makes the files of a pod, in dir, and the command line of its process.
func (k *Kubelet) prepare(ctx context.Context, pod *corev1.Pod, dir string) (command, error) {
	container := pod.Spec.Containers[0]
	c := command{}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return c, fmt.Errorf("making the pod's directory: %w", err)
	}
	paths, err := k.mount(ctx, pod, dir)
	if err != nil {
		return c, err
	}
	account := pod.Spec.ServiceAccountName
	if account == "" {
		account = "default"
	}
	kubeconfig, err := k.options.Kubeconfig(ctx, pod.Namespace, account)
	if err != nil {
		return c, err
	}
	for _, argument := range slices.Concat(container.Command, container.Args) {
		c.args = append(c.args, paths.Replace(argument))
	}
	if err := k.connect(dir, kubeconfig, &c); err != nil {
		return c, err
	}
	c.env, err = environment(pod)
	return c, err
}

// connect lets a scheduler that expects to be in a cluster, alone on its address, reach
// the API server and serve beside others.
func (k *Kubelet) connect(dir, kubeconfig string, c *command) error {
	for i, argument := range c.args {
		path, ok := strings.CutPrefix(argument, "--config=")
		if !ok {
			continue
		}
		data, err := os.ReadFile(path)
		config := map[string]any{}
		if err != nil || yaml.Unmarshal(data, &config) != nil {
			continue // the scheduler says what is wrong with it
		}
		client, ok := config["clientConnection"].(map[string]any)
		if !ok {
			client = map[string]any{}
		}
		if client["kubeconfig"] == nil {
			client["kubeconfig"] = kubeconfig
		}
		config["clientConnection"] = client
		if data, err = yaml.Marshal(config); err != nil {
			return fmt.Errorf("the scheduler's configuration: %w", err)
		}
		path = filepath.Join(dir, "scheduler.yaml")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			return fmt.Errorf("the scheduler's configuration: %w", err)
		}
		c.args[i] = "--config=" + path
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("finding a free port: %w", err)
	}
	defer listener.Close()
	port := listener.Addr().(*net.TCPAddr).Port
	c.url = fmt.Sprint("https://127.0.0.1:", port)
	c.args = append(c.args, "--authentication-kubeconfig="+kubeconfig, "--authorization-kubeconfig="+kubeconfig,
		"--bind-address=127.0.0.1", fmt.Sprint("--secure-port=", port), "--cert-dir="+dir)
	return nil
}

// environment returns the environment variables of a pod's first container, written
// NAME=value.
func environment(pod *corev1.Pod) ([]string, error) {
	container := pod.Spec.Containers[0]
	var env []string
	for _, e := range container.Env {
		value := e.Value
		if from := e.ValueFrom; from != nil {
			switch {
			case from.ResourceFieldRef != nil:
				kind, name, _ := strings.Cut(from.ResourceFieldRef.Resource, ".")
				amounts := container.Resources.Limits
				if kind == "requests" {
					amounts = container.Resources.Requests
				}
				amount := amounts[corev1.ResourceName(name)]
				value = fmt.Sprint(amount.Value())
			case from.FieldRef != nil && from.FieldRef.FieldPath == "metadata.name":
				value = pod.Name
			case from.FieldRef != nil && from.FieldRef.FieldPath == "metadata.namespace":
				value = pod.Namespace
			default:
				return nil, fmt.Errorf("environment variable %s: the sandbox reads values, amounts of resources and the pod's name only", e.Name)
			}
		}
		env = append(env, e.Name+"="+value)
	}
	return env, nil
}

// mount writes the volumes of a pod below dir and returns what replaces the paths in
// the container by those of this machine.
func (k *Kubelet) mount(ctx context.Context, pod *corev1.Pod, dir string) (*strings.Replacer, error) {
	mounts := slices.Clone(pod.Spec.Containers[0].VolumeMounts)
	slices.SortFunc(mounts, func(a, b corev1.VolumeMount) int { return len(b.MountPath) - len(a.MountPath) }) // the innermost first
	at := map[string]string{}
	var pairs []string
	for _, m := range mounts {
		at[m.Name] = filepath.Join(dir, "volumes", m.Name)
		pairs = append(pairs, m.MountPath, filepath.Join(at[m.Name], m.SubPath))
	}
	paths := strings.NewReplacer(pairs...)
	var known []string
	for name, address := range k.options.Addresses {
		known = append(known, name, address)
	}
	dns := strings.NewReplacer(known...)
	for _, v := range pod.Spec.Volumes {
		if at[v.Name] == "" || v.Projected != nil {
			continue // the ServiceAccount's token is in the kubeconfig
		}
		files, err := k.content(ctx, pod.Namespace, v)
		if err != nil {
			return nil, fmt.Errorf("volume %s: %w", v.Name, err)
		}
		if err := os.MkdirAll(at[v.Name], 0o700); err != nil {
			return nil, fmt.Errorf("volume %s: %w", v.Name, err)
		}
		for name, data := range files {
			if v.ConfigMap != nil {
				data = []byte(dns.Replace(paths.Replace(string(data))))
			}
			path := filepath.Join(at[v.Name], filepath.Clean("/"+name))
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				return nil, fmt.Errorf("volume %s: %w", v.Name, err)
			}
			if err := os.WriteFile(path, data, 0o600); err != nil {
				return nil, fmt.Errorf("volume %s: %w", v.Name, err)
			}
		}
	}
	return paths, nil
}

// content returns the files of a volume.
func (k *Kubelet) content(ctx context.Context, namespace string, v corev1.Volume) (map[string][]byte, error) {
	files := map[string][]byte{}
	var items []corev1.KeyToPath
	switch {
	case v.EmptyDir != nil:
		return nil, nil
	case v.ConfigMap != nil:
		config, err := k.options.Client.CoreV1().ConfigMaps(namespace).Get(ctx, v.ConfigMap.Name, metav1.GetOptions{})
		if err != nil {
			return nil, err
		}
		for name, text := range config.Data {
			files[name] = []byte(text)
		}
		items = v.ConfigMap.Items
	case v.Secret != nil:
		secret, err := k.options.Client.CoreV1().Secrets(namespace).Get(ctx, v.Secret.SecretName, metav1.GetOptions{})
		if err != nil {
			return nil, err
		}
		files, items = secret.Data, v.Secret.Items
	default:
		return nil, fmt.Errorf("the sandbox mounts ConfigMaps, Secrets and emptyDir only")
	}
	if items == nil {
		return files, nil
	}
	chosen := map[string][]byte{}
	for _, item := range items {
		data, ok := files[item.Key]
		if !ok {
			return nil, fmt.Errorf("there is no key %q", item.Key)
		}
		chosen[item.Path] = data
	}
	return chosen, nil
}
