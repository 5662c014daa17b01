package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
)

// api answers, in the place of an API server, what the plugins' client asks: which
// resources there are, and what objects. Objects never change.
type api []served

// served is a resource with its one object.
type served struct {
	gvk    schema.GroupVersionKind
	plural string
	object any
}

// config is a client's configuration for an API without a network.
func (a api) config() *rest.Config { return &rest.Config{Host: "http://in-memory", Transport: a} }

// RoundTrip implements http.RoundTripper.
func (a api) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Query().Get("watch") == "true" {
		return respond(r, http.StatusOK, silent(r.Context())), nil
	}
	answer := a.find(r.URL.Path)
	if answer == nil {
		return respond(r, http.StatusNotFound, io.NopCloser(bytes.NewReader(nil))), nil
	}
	data, err := json.Marshal(answer)
	if err != nil {
		return nil, fmt.Errorf("answering %s: %w", r.URL.Path, err)
	}
	return respond(r, http.StatusOK, io.NopCloser(bytes.NewReader(data))), nil
}

// find returns what is at a path, nil when there is nothing.
func (a api) find(path string) any {
	groups := metav1.APIGroupList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "APIGroupList"}}
	for _, s := range a {
		version := metav1.GroupVersionForDiscovery{GroupVersion: s.gvk.GroupVersion().String(), Version: s.gvk.Version}
		groups.Groups = append(groups.Groups, metav1.APIGroup{
			Name: s.gvk.Group, Versions: []metav1.GroupVersionForDiscovery{version}, PreferredVersion: version,
		})
		switch path {
		case "/apis/" + version.GroupVersion:
			return metav1.APIResourceList{
				TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "APIResourceList"}, GroupVersion: version.GroupVersion,
				APIResources: []metav1.APIResource{{
					Name: s.plural, Kind: s.gvk.Kind, Namespaced: true, Verbs: metav1.Verbs{"get", "list", "watch"},
				}},
			}
		case "/apis/" + version.GroupVersion + "/" + s.plural:
			return map[string]any{
				"apiVersion": version.GroupVersion, "kind": s.gvk.Kind + "List",
				"metadata": map[string]any{"resourceVersion": "1"}, "items": []any{s.object},
			}
		}
	}
	switch path {
	case "/api":
		return metav1.APIVersions{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "APIVersions"}}
	case "/apis":
		return groups
	}
	return nil
}

func respond(r *http.Request, code int, body io.ReadCloser) *http.Response {
	return &http.Response{
		Request: r, StatusCode: code, Status: http.StatusText(code), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Content-Type": {"application/json"}}, Body: body, ContentLength: -1,
	}
}

// silent is a watch on which nothing happens until ctx ends.
func silent(ctx context.Context) io.ReadCloser {
	reader, writer := io.Pipe()
	context.AfterFunc(ctx, func() { writer.CloseWithError(ctx.Err()) })
	return reader
}
