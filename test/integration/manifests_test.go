package integration

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"testing"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/restmapper"
	schedulerv1 "k8s.io/kube-scheduler/config/v1"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

const systemNamespace = "vicinity-system"

// TestManifests applies manifests/base as a user would and then runs the
// scheduler as the Deployment does: with the ConfigMap's files and with a token
// of the ServiceAccount.
func TestManifests(t *testing.T) {
	s := newScene(t)
	stock := s.leads(t, metav1.NamespaceSystem, "kube-scheduler")
	s.install(t)
	eventually(t, "the Deployment's pods run", func() error {
		d, err := s.client.AppsV1().Deployments(systemNamespace).Get(t.Context(), "vicinity-scheduler", metav1.GetOptions{})
		if err != nil {
			return err
		}
		return want("available", d.Status.AvailableReplicas, *d.Spec.Replicas)
	})
	s.checkArguments(t)

	kubeconfig, err := s.cluster.ServiceAccountKubeconfig(t.Context(), systemNamespace, "vicinity-scheduler")
	if err != nil {
		t.Fatal(err)
	}
	o := s.options(t, "as-service-account")
	o.kubeconfig = kubeconfig
	o.config = &schedulerv1.KubeSchedulerConfiguration{}
	if err := yaml.UnmarshalStrict([]byte(s.configMap(t).Data["scheduler.yaml"]), o.config); err != nil {
		t.Fatal(err)
	}
	o.config.ClientConnection.Kubeconfig = kubeconfig
	scheduler := s.start(t, o)
	s.leads(t, systemNamespace, "vicinity-scheduler")
	a := s.newApp(t)
	a.deploy(t, workload{name: "web", replicas: 5, scheduler: "vicinity"})
	if log := scheduler.log(t); strings.Contains(log, "forbidden") {
		t.Errorf("a permission is missing:\n%s", log)
	}
	if got := *s.lease(t, metav1.NamespaceSystem, "kube-scheduler").HolderIdentity; got != stock {
		t.Errorf("the lease of kube-scheduler went from %s to %s", stock, got)
	}
}

// leads waits until somebody holds a lease and returns who.
func (s *scene) leads(t *testing.T, namespace, name string) (holder string) {
	t.Helper()
	eventually(t, "somebody holds lease "+name, func() error {
		lease, err := s.client.CoordinationV1().Leases(namespace).Get(t.Context(), name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		if lease.Spec.HolderIdentity == nil || *lease.Spec.HolderIdentity == "" {
			return errors.New("nobody does")
		}
		holder = *lease.Spec.HolderIdentity
		return nil
	})
	return holder
}

// lease returns what a lease says.
func (s *scene) lease(t *testing.T, namespace, name string) coordinationv1.LeaseSpec {
	t.Helper()
	lease, err := s.client.CoordinationV1().Leases(namespace).Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return lease.Spec
}

// configMap returns the one with both files.
func (s *scene) configMap(t *testing.T) corev1.ConfigMap {
	t.Helper()
	list, err := s.client.CoreV1().ConfigMaps(systemNamespace).List(t.Context(), metav1.ListOptions{LabelSelector: "app.kubernetes.io/name=vicinity-scheduler"})
	if err != nil || len(list.Items) != 1 {
		t.Fatalf("%d ConfigMaps: %v", len(list.Items), err)
	}
	return list.Items[0]
}

// checkArguments checks that the files which the container is told to read are
// those of the mounted ConfigMap.
func (s *scene) checkArguments(t *testing.T) {
	t.Helper()
	d, err := s.client.AppsV1().Deployments(systemNamespace).Get(t.Context(), "vicinity-scheduler", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	pod, config := d.Spec.Template.Spec, s.configMap(t)
	if got := pod.Volumes[0].ConfigMap.Name; got != config.Name {
		t.Errorf("the pod mounts ConfigMap %s, want %s", got, config.Name)
	}
	mount := pod.Containers[0].VolumeMounts[0].MountPath
	for _, argument := range pod.Containers[0].Args {
		_, path, _ := strings.Cut(argument, "=")
		file, ok := strings.CutPrefix(path, mount+"/")
		if _, there := config.Data[file]; !ok || !there {
			t.Errorf("argument %s names no file of the ConfigMap", argument)
		}
	}
}

// install applies manifests/base until the test ends.
func (s *scene) install(t *testing.T) {
	t.Helper()
	s.noNamespace(t, systemNamespace) // of the test before
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		a := &app{scene: s, namespace: systemNamespace}
		errs := []error{a.remove(ctx)}
		for _, object := range s.base(t) {
			if err := object.into.Delete(ctx, object.GetName(), metav1.DeleteOptions{}); !apierrors.IsNotFound(err) {
				errs = append(errs, err)
			}
		}
		if err := errors.Join(errs...); err != nil {
			t.Errorf("removing manifests/base: %v", err)
		}
	})
	s.apply(t)
}

// apply applies manifests/base on the server's side, as "kubectl apply --server-side
// -k" does.
func (s *scene) apply(t *testing.T) {
	t.Helper()
	for _, object := range s.base(t) {
		if _, err := object.into.Apply(t.Context(), object.GetName(), object.Unstructured, metav1.ApplyOptions{FieldManager: "test", Force: true}); err != nil {
			t.Fatalf("applying %s %s: %v", object.GetKind(), object.GetName(), err)
		}
	}
}

// TestDryRun asks the API server about every object before anything is installed, as
// "kubectl apply -k --dry-run=server" does. Of manifests/base it refuses what belongs into the
// namespace that is not there, which is why docs/install.md names manifests/kube-system.
func TestDryRun(t *testing.T) {
	s := newScene(t)
	s.noNamespace(t, systemNamespace)
	try := func(object manifest) error {
		_, err := object.into.Apply(t.Context(), object.GetName(), object.Unstructured, metav1.ApplyOptions{FieldManager: "test", DryRun: []string{metav1.DryRunAll}})
		return err
	}
	for _, object := range s.kustomization(t, "kube-system") {
		if err := try(object); err != nil {
			t.Errorf("%s %s: %v", object.GetKind(), object.GetName(), err)
		}
	}
	for _, object := range s.base(t) {
		if err := try(object); object.GetNamespace() == systemNamespace && !apierrors.IsNotFound(err) {
			t.Errorf("%s %s: %v, want that there is no namespace", object.GetKind(), object.GetName(), err)
		}
	}
	s.noNamespace(t, systemNamespace)
}

// noNamespace waits until a namespace is gone.
func (s *scene) noNamespace(t *testing.T, name string) {
	t.Helper()
	eventually(t, "namespace "+name+" is gone", func() error {
		_, err := s.client.CoreV1().Namespaces().Get(t.Context(), name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		return cmp.Or(err, errors.New("it is there"))
	})
}

// manifest is an object of manifests/base and where it belongs.
type manifest struct {
	*unstructured.Unstructured
	into dynamic.ResourceInterface
}

// base builds the kustomization manifests/base.
func (s *scene) base(t *testing.T) []manifest {
	t.Helper()
	return s.kustomization(t, "base")
}

// kustomization builds a directory of manifests.
func (s *scene) kustomization(t *testing.T, dir string) []manifest {
	t.Helper()
	resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), "../../manifests/"+dir)
	if err != nil {
		t.Fatal(err)
	}
	client, err := dynamic.NewForConfig(s.cluster.RESTConfig())
	if err != nil {
		t.Fatal(err)
	}
	mapper := restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(s.client.Discovery()))
	var all []manifest
	for _, r := range resources.Resources() {
		content, err := r.Map()
		if err != nil {
			t.Fatal(err)
		}
		object := &unstructured.Unstructured{Object: content}
		mapping, err := mapper.RESTMapping(object.GroupVersionKind().GroupKind(), object.GroupVersionKind().Version)
		if err != nil {
			t.Fatal(err)
		}
		var into dynamic.ResourceInterface = client.Resource(mapping.Resource)
		if mapping.Scope.Name() == meta.RESTScopeNameNamespace {
			into = client.Resource(mapping.Resource).Namespace(object.GetNamespace())
		}
		all = append(all, manifest{object, into})
	}
	return all
}
