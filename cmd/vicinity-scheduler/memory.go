package main

import (
	"fmt"
	"math"
	"os"
	"runtime/debug"
	"strconv"

	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"
	schedulerserverconfig "k8s.io/kubernetes/cmd/kube-scheduler/app/config"

	"github.com/vicinity-sched/vicinity/internal/kube"
)

// memoryLimitVariable has the container's limit in bytes: in a pod the downward API writes
// it. Reading it from there needs neither a library nor the files of a version of cgroups.
const memoryLimitVariable = "VICINITY_MEMORY_LIMIT"

// limitShare is the part of the container's limit that the Go runtime keeps to; the rest
// is for what it does not count: the binary, its threads' stacks and the kernel's buffers.
const limitShare = 0.9

// limitMemory has the garbage collector work harder before the kernel ends the process. A
// GOMEMLIMIT that is set counts instead.
func limitMemory() error {
	limit, err := memoryLimit(os.Getenv)
	if err == nil && limit > 0 {
		debug.SetMemoryLimit(limit)
	}
	return err
}

// memoryLimit returns the limit in bytes for the Go runtime, 0 for none of ours.
func memoryLimit(env func(string) string) (int64, error) {
	text := env(memoryLimitVariable)
	if text == "" || env("GOMEMLIMIT") != "" {
		return 0, nil
	}
	bytes, err := strconv.ParseUint(text, 10, 63)
	if err != nil || bytes == 0 {
		return 0, fmt.Errorf("the environment variable %s is %.40q; must be a number of bytes, as resourceFieldRef limits.memory with divisor 1 gives it", memoryLimitVariable, text)
	}
	return int64(math.Ceil(float64(bytes) * limitShare)), nil
}

// trimInformers has the informers of what a scheduler holds most of hold no more than is
// read. All of them run in any kube-scheduler whose pods are spread by default, and with
// the plugin. Extenders are sent whole pods.
func trimInformers(cc *schedulerserverconfig.CompletedConfig) error {
	if len(cc.ComponentConfig.Extenders) > 0 {
		return nil
	}
	for _, informer := range trimmed(cc.InformerFactory) {
		if err := informer.SetTransform(kube.Trim); err != nil {
			return fmt.Errorf("trimming what informers hold: %w", err)
		}
	}
	return nil
}

func trimmed(f informers.SharedInformerFactory) []cache.SharedIndexInformer {
	return []cache.SharedIndexInformer{
		f.Core().V1().Pods().Informer(), f.Core().V1().Nodes().Informer(), f.Core().V1().Services().Informer(),
		f.Apps().V1().ReplicaSets().Informer(), f.Apps().V1().StatefulSets().Informer(),
	}
}
