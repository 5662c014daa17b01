package cluster

import (
	"context"
	"fmt"
	"io"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/utils/clock"
	"sigs.k8s.io/kwok/kustomize/stage/node/fast"
	podfast "sigs.k8s.io/kwok/kustomize/stage/pod/fast"
	"sigs.k8s.io/kwok/pkg/apis/internalversion"
	"sigs.k8s.io/kwok/pkg/apis/v1alpha1"
	"sigs.k8s.io/kwok/pkg/kwok/controllers"
	kwoklog "sigs.k8s.io/kwok/pkg/log"
	kwokclient "sigs.k8s.io/kwok/pkg/utils/client"
	"sigs.k8s.io/yaml"
)

// kwokAnnotation marks the nodes that kwok plays.
const (
	kwokAnnotation = "kwok.x-k8s.io/node"
	kwokValue      = "fake"
)

// startNodes creates the nodes and lets the kwok library play their kubelets
// until runCtx ends.
func (c *Cluster) startNodes(startCtx, runCtx context.Context, nodes []NodeSpec, real string) error {
	if err := c.startKwok(runCtx, real); err != nil {
		return fmt.Errorf("kwok: %w", err)
	}
	for _, spec := range nodes {
		if _, err := c.client.CoreV1().Nodes().Create(startCtx, spec.node(), metav1.CreateOptions{}); err != nil {
			return fmt.Errorf("creating node %s: %w", spec.Name, err)
		}
	}
	return nil
}

func (s NodeSpec) node() *corev1.Node {
	pods := s.Pods
	if pods == 0 {
		pods = 110
	}
	room := corev1.ResourceList{
		corev1.ResourceCPU:    s.CPU,
		corev1.ResourceMemory: s.Memory,
		corev1.ResourcePods:   *resource.NewQuantity(pods, resource.DecimalSI),
	}
	node := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{
			Name:        s.Name,
			Annotations: map[string]string{kwokAnnotation: kwokValue},
			Labels: map[string]string{
				corev1.LabelHostname:   s.Name,
				corev1.LabelOSStable:   "linux",
				corev1.LabelArchStable: "amd64",
			},
		},
		Status: corev1.NodeStatus{Capacity: room, Allocatable: room},
	}
	if s.Zone != "" {
		node.Labels[corev1.LabelTopologyZone] = s.Zone
	}
	if s.Region != "" {
		node.Labels[corev1.LabelTopologyRegion] = s.Region
	}
	return node
}

// stages are kwok's own: a node is Ready at once, a pod runs at once and is
// deleted at once, unless its image is real. kwok's reader of such files would bring all of
// kustomize.
func stages(real string) (map[internalversion.StageResourceRef][]*internalversion.Stage, error) {
	byRef := map[internalversion.StageResourceRef][]*internalversion.Stage{}
	for _, text := range []string{fast.DefaultNodeInit, podfast.DefaultPodReady, podfast.DefaultPodComplete, podfast.DefaultPodDelete} {
		external := &v1alpha1.Stage{}
		if err := yaml.UnmarshalStrict([]byte(text), external); err != nil {
			return nil, fmt.Errorf("reading a stage: %w", err)
		}
		if text == podfast.DefaultPodReady && real != "" {
			external.Spec.Selector.MatchExpressions = append(external.Spec.Selector.MatchExpressions, v1alpha1.MatchExpression{JQ: &v1alpha1.SelectorJQ{
				Key:      fmt.Sprintf(`.spec.containers[0].image | test("(^|/)%s([:@]|$)")`, real),
				Operator: v1alpha1.SelectorOpNotIn, Values: []string{"true"},
			}})
		}
		stage, err := internalversion.ConvertToInternalStage(external)
		if err != nil {
			return nil, fmt.Errorf("reading a stage: %w", err)
		}
		byRef[stage.Spec.ResourceRef] = append(byRef[stage.Spec.ResourceRef], stage)
	}
	return byRef, nil
}

func (c *Cluster) startKwok(ctx context.Context, real string) error {
	local, err := stages(real)
	if err != nil {
		return err
	}
	clients, err := kwokclient.NewClientset("", c.kubeconfig)
	if err != nil {
		return fmt.Errorf("making its clients: %w", err)
	}
	dynamic, err := clients.ToDynamicClient()
	if err != nil {
		return fmt.Errorf("making its clients: %w", err)
	}
	mapper, err := clients.ToRESTMapper()
	if err != nil {
		return fmt.Errorf("making its clients: %w", err)
	}
	kwok, err := controllers.NewController(controllers.Config{
		Clock:                             clock.RealClock{},
		DynamicClient:                     dynamic,
		RESTMapper:                        mapper,
		ImpersonatingDynamicClient:        clients.ToImpersonatingDynamicClient(),
		ImpersonatingTypedClient:          clients.ToImpersonatingTypedClient(),
		TypedClient:                       c.client,
		ManageNodesWithAnnotationSelector: kwokAnnotation + "=" + kwokValue,
		CIDR:                              "10.0.0.1/16",
		NodeIP:                            "10.0.0.1",
		NodePort:                          10250,
		PodPlayStageParallelism:           workers,
		NodePlayStageParallelism:          workers,
		PodsOnNodeSyncParallelism:         workers,
		LocalStages:                       local,
		ID:                                "sandbox",
	})
	if err != nil {
		return err
	}
	// It logs every node; nobody reads that.
	return kwok.Start(kwoklog.NewContext(ctx, kwoklog.NewLogger(io.Discard, kwoklog.LevelError)))
}

// waitReady waits until all nodes are Ready and the default namespace has its
// ServiceAccount, without which no pod is admitted.
func (c *Cluster) waitReady(ctx context.Context, nodes int) error {
	return wait.PollUntilContextCancel(ctx, 100*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		if _, err := c.client.CoreV1().ServiceAccounts(metav1.NamespaceDefault).Get(ctx, "default", metav1.GetOptions{}); err != nil {
			return false, nil
		}
		list, err := c.client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
		if err != nil {
			return false, nil
		}
		ready := 0
		for _, node := range list.Items {
			for _, condition := range node.Status.Conditions {
				if condition.Type == corev1.NodeReady && condition.Status == corev1.ConditionTrue {
					ready++
				}
			}
		}
		return ready >= nodes, nil
	})
}
