package kube

import "github.com/vicinity-sched/vicinity/internal/kube/kubetest"

func object(version, kind, name, spec string) string {
	return kubetest.Object(version, kind, name, spec)
}

func created(object string, day int) string { return kubetest.Created(object, day) }
