package main

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/metadata"

	"github.com/vicinity-sched/vicinity/flowgraph/sim/meshes"
	"github.com/vicinity-sched/vicinity/internal/promfind"
)

// Completion asks the API server, and must not keep a user waiting who types on: what has not
// come by completionTimeout is left out, and of many names as many as completionLimit are
// offered.
const (
	completionTimeout = 2 * time.Second
	completionLimit   = 500
)

// completeContexts completes the contexts of the kubeconfig.
func (o *clusterOptions) completeContexts(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	config, err := o.load().RawConfig()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var all []cobra.Completion
	for _, name := range slices.Sorted(maps.Keys(config.Contexts)) {
		all = append(all, cobra.CompletionWithDesc(name, config.Contexts[name].Cluster))
	}
	return all, cobra.ShellCompDirectiveNoFileComp
}

// completeNamespaces completes the namespaces of the cluster.
func (o *clusterOptions) completeNamespaces(cmd *cobra.Command, _ []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return o.names(cmd, "", schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}), cobra.ShellCompDirectiveNoFileComp
}

// completeSubject completes the pods or workloads of a namespace: that of the flag or of the
// context, or that which is typed before a slash.
func (o *explainOptions) completeSubject(cmd *cobra.Command, kind, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
	namespace, _, typedNamespace := strings.Cut(typed, "/")
	if !typedNamespace {
		if namespace = o.namespace; namespace == "" {
			namespace = o.contextNamespace()
		}
	}
	var names []cobra.Completion
	switch kind {
	case "pod":
		names = o.names(cmd, namespace, schema.GroupVersionResource{Version: "v1", Resource: "pods"})
	case "workload":
		apps, batch := schema.GroupVersion{Group: "apps", Version: "v1"}, schema.GroupVersion{Group: "batch", Version: "v1"}
		names = o.names(cmd, namespace, apps.WithResource("deployments"), apps.WithResource("statefulsets"), apps.WithResource("daemonsets"),
			apps.WithResource("replicasets"), batch.WithResource("jobs"), batch.WithResource("cronjobs"))
	}
	if typedNamespace {
		for i := range names {
			names[i] = namespace + "/" + names[i]
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// names returns the names of objects that no other object made, except pods, all of whose names
// it returns. Of resources that cannot be read it returns none.
func (o *clusterOptions) names(cmd *cobra.Command, namespace string, resources ...schema.GroupVersionResource) []cobra.Completion {
	config, err := o.restConfig("vicinity-completion")
	if err != nil {
		return nil
	}
	config.Timeout = completionTimeout
	client, err := metadata.NewForConfig(config)
	if err != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), completionTimeout)
	defer cancel()
	var mu sync.Mutex
	var group sync.WaitGroup
	found := map[string]bool{}
	for _, resource := range resources {
		group.Go(func() {
			list, err := client.Resource(resource).Namespace(namespace).List(ctx, metav1.ListOptions{Limit: completionLimit, ResourceVersion: "0"})
			if err != nil {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			for i := range list.Items {
				if resource.Resource == "pods" || metav1.GetControllerOf(&list.Items[i]) == nil {
					found[list.Items[i].Name] = true
				}
			}
		})
	}
	group.Wait()
	return slices.Sorted(maps.Keys(found))
}

// completeServer completes the Services of the cluster that look like Prometheus, once the
// value begins as those do.
func (o *reachOptions) completeServer(cmd *cobra.Command, _ []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
	const stay = cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	if o.within == nil {
		return []cobra.Completion{"http://localhost:9090"}, stay
	}
	if !strings.HasPrefix(typed, promfind.Prefix) {
		return []cobra.Completion{"http://localhost:9090", promfind.Prefix}, stay
	}
	f, err := o.finder()
	if err != nil {
		return nil, stay
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), completionTimeout)
	defer cancel()
	services, err := f.Candidates(ctx)
	if err != nil {
		return nil, stay
	}
	var all []cobra.Completion
	for _, s := range services {
		all = append(all, promfind.Prefix+s.String())
	}
	return all, cobra.ShellCompDirectiveNoFileComp
}

// behindComma returns what may follow the last comma of several values, with what is typed before
// it. bash would not find those that have descriptions.
func behindComma(typed string, values []cobra.Completion) []cobra.Completion {
	before := typed[:strings.LastIndex(typed, ",")+1]
	if before == "" {
		return values
	}
	var all []cobra.Completion
	for _, value := range values {
		name, _, _ := strings.Cut(value, "\t")
		all = append(all, before+name)
	}
	return all
}

const meshPrefix = "mesh:"

// completeInput completes an INPUT of replay: a generated mesh, or a file or directory that
// may be a recording, an edge list or a cluster.
func completeInput(_ *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
	switch {
	case len(args) > 0:
		return nil, cobra.ShellCompDirectiveNoFileComp
	case strings.HasPrefix(typed, meshPrefix):
		all := []cobra.Completion{cobra.CompletionWithDesc(meshPrefix+"help", "list them")}
		for _, family := range meshes.Families() {
			all = append(all, cobra.CompletionWithDesc(meshPrefix+family.Name, family.Description))
		}
		return all, cobra.ShellCompDirectiveNoFileComp
	case typed != "" && strings.HasPrefix(meshPrefix, typed):
		return append(inputsHere(typed), meshPrefix), cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	}
	return inputExtensions(), cobra.ShellCompDirectiveFilterFileExt
}

func inputExtensions() []string { return []string{"zst", "csv", "json"} }

// inputsHere returns what may be an input in the working directory and begins with what is
// typed.
func inputsHere(typed string) []cobra.Completion {
	entries, err := os.ReadDir(".")
	if err != nil {
		return nil
	}
	var all []cobra.Completion
	for _, e := range entries {
		switch {
		case !strings.HasPrefix(e.Name(), typed):
		case e.IsDir():
			all = append(all, e.Name()+"/")
		case slices.Contains(inputExtensions(), strings.TrimPrefix(filepath.Ext(e.Name()), ".")):
			all = append(all, e.Name())
		}
	}
	return all
}
