package cluster

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/metadata/metadatainformer"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/util/keyutil"
	"k8s.io/controller-manager/pkg/informerfactory"
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/pkg/controller/certificates/rootcacertpublisher"
	"k8s.io/kubernetes/pkg/controller/deployment"
	"k8s.io/kubernetes/pkg/controller/endpointslice"
	"k8s.io/kubernetes/pkg/controller/garbagecollector"
	"k8s.io/kubernetes/pkg/controller/namespace"
	"k8s.io/kubernetes/pkg/controller/replicaset"
	"k8s.io/kubernetes/pkg/controller/serviceaccount"
	"k8s.io/kubernetes/pkg/controller/statefulset"
	tokens "k8s.io/kubernetes/pkg/serviceaccount"
)

// workers is how many objects each controller works on at a time.
const workers = 4

// startControllers runs upstream's controllers until ctx ends: those that turn
// Deployments and StatefulSets into pods, Services into EndpointSlices, and
// those that tidy up; and the kubelets' admission of pods.
func (c *Cluster) startControllers(ctx context.Context) error {
	shared := informers.NewSharedInformerFactory(c.client, 0)
	core, apps := shared.Core().V1(), shared.Apps().V1()

	deployments, err := deployment.NewDeploymentController(ctx, apps.Deployments(), apps.ReplicaSets(), core.Pods(), c.client)
	if err != nil {
		return fmt.Errorf("deployment: %w", err)
	}
	replicaSets := replicaset.NewReplicaSetController(ctx, apps.ReplicaSets(), core.Pods(), c.client, replicaset.BurstReplicas)
	statefulSets := statefulset.NewStatefulSetController(ctx, core.Pods(), apps.StatefulSets(), core.PersistentVolumeClaims(), apps.ControllerRevisions(), c.client)
	slices := endpointslice.NewController(ctx, core.Pods(), core.Services(), core.Nodes(), shared.Discovery().V1().EndpointSlices(), 100, c.client, 0)
	accounts, err := serviceaccount.NewServiceAccountsController(klog.FromContext(ctx), core.ServiceAccounts(), core.Namespaces(), c.client, serviceaccount.DefaultServiceAccountsControllerOptions())
	if err != nil {
		return fmt.Errorf("serviceaccount: %w", err)
	}
	tokenSecrets, err := c.tokensController(ctx, shared)
	if err != nil {
		return fmt.Errorf("tokens: %w", err)
	}
	rootCA, err := rootcacertpublisher.NewPublisher(core.ConfigMaps(), core.Namespaces(), c.client, c.config.CAData)
	if err != nil {
		return fmt.Errorf("rootcacertpublisher: %w", err)
	}
	meta, err := metadata.NewForConfig(c.config)
	if err != nil {
		return fmt.Errorf("metadata client: %w", err)
	}
	namespaces := namespace.NewNamespaceController(ctx, c.client, meta, c.client.Discovery().ServerPreferredNamespacedResources, core.Namespaces(), time.Minute, corev1.FinalizerKubernetes)

	mapper := restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(c.client.Discovery()))
	started := make(chan struct{})
	collector, err := garbagecollector.NewGarbageCollector(ctx, c.client, meta, mapper,
		map[schema.GroupResource]struct{}{{Resource: "events"}: {}, {Group: "events.k8s.io", Resource: "events"}: {}},
		informerfactory.NewInformerFactory(shared, metadatainformer.NewSharedInformerFactory(meta, 0)), started)
	if err != nil {
		return fmt.Errorf("garbagecollector: %w", err)
	}

	kubelets, err := c.newAdmission(shared)
	if err != nil {
		return fmt.Errorf("admission: %w", err)
	}

	for _, run := range []func(){
		func() { kubelets.run(ctx) },
		func() { deployments.Run(ctx, workers) },
		func() { replicaSets.Run(ctx, workers) },
		func() { statefulSets.Run(ctx, workers) },
		func() { slices.Run(ctx, workers) },
		func() { accounts.Run(ctx, workers) },
		func() { tokenSecrets.Run(ctx, 1) },
		func() { rootCA.Run(ctx, 1) },
		func() { namespaces.Run(ctx, workers) },
		func() { collector.Run(ctx, workers, 30*time.Second) },
		func() { collector.Sync(ctx, c.client.Discovery(), 30*time.Second) },
	} {
		c.running.Go(run)
	}
	shared.Start(ctx.Done())
	close(started)
	c.running.Go(func() {
		<-ctx.Done()
		shared.Shutdown()
	})
	return nil
}

// tokensController returns the controller that writes tokens into Secrets of type
// kubernetes.io/service-account-token.
func (c *Cluster) tokensController(ctx context.Context, shared informers.SharedInformerFactory) (*serviceaccount.TokensController, error) {
	key, err := keyutil.PrivateKeyFromFile(filepath.Join(c.dir, serviceAccountKey))
	if err != nil {
		return nil, fmt.Errorf("reading the key: %w", err)
	}
	generator, err := tokens.JWTTokenGenerator(tokens.LegacyIssuer, key)
	if err != nil {
		return nil, err
	}
	core := shared.Core().V1()
	return serviceaccount.NewTokensController(klog.FromContext(ctx), core.ServiceAccounts(), core.Secrets(), c.client,
		serviceaccount.TokensControllerOptions{TokenGenerator: generator, RootCA: c.config.CAData})
}
