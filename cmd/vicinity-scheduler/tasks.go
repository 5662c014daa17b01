package main

import (
	"context"
	"fmt"
	"sync"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"

	"github.com/vicinity-sched/vicinity/internal/kube/routing"
	"github.com/vicinity-sched/vicinity/internal/permissions"
	"github.com/vicinity-sched/vicinity/internal/restart"
)

// begin runs each task in a goroutine of its own, until ctx ends.
func begin(ctx context.Context, running *sync.WaitGroup, tasks *restart.Tasks, runs map[restart.Task]restart.Run) {
	for task, run := range runs {
		running.Go(func() { tasks.Keep(ctx, task, run) })
	}
}

// untilEnd is a task of which nothing shows that it works but that it does not end.
func untilEnd(run func(context.Context)) restart.Run {
	return func(ctx context.Context, _ func()) error {
		run(ctx)
		return nil
	}
}

// watchingRules keeps Istio's DestinationRules up to date.
func watchingRules(client kubernetes.Interface, config *rest.Config, rules *routing.DestinationRules) restart.Run {
	return func(ctx context.Context, _ func()) error {
		dynamicClient, err := dynamic.NewForConfig(config)
		if err != nil {
			return fmt.Errorf("DestinationRules are not read: %w", err)
		}
		reviews := client.AuthorizationV1().SelfSubjectAccessReviews()
		routing.NewWatcher(klog.FromContext(ctx), rules, client.Discovery(), reviews, dynamicClient).Run(ctx)
		return nil
	}
}

// checkingPermissions asks again and again for what the scheduler may do.
func checkingPermissions(client kubernetes.Interface, needed *permissions.Checker) restart.Run {
	return untilEnd(func(ctx context.Context) { needed.Run(ctx, client.AuthorizationV1().SelfSubjectAccessReviews()) })
}
