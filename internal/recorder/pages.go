package recorder

import (
	"context"
	"errors"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/pager"
)

// pageSize is how many objects one answer of the API server has.
const pageSize = 500

// list hands over what read makes of the objects of a resource. It asks for them in pages, so
// that no more than one page is held as the API server sends it. A list whose pages expire and
// that cannot go on is asked for as a whole, as client-go's informers do.
func list(ctx context.Context, resource dynamic.ResourceInterface, read func(*unstructured.Unstructured) (runtime.Object, error), each func(runtime.Object) error) error {
	pages := pager.New(func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
		page, err := listPage(ctx, resource, o)
		if err != nil {
			return nil, err
		}
		return pageOf(page, read, func(err error) error { return err })
	})
	pages.PageSize = pageSize
	all, _, err := pages.List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	return meta.EachListItem(all, each)
}

// listPage asks for a page of a list. When the API server no longer has the state that the list
// began with (410), it names where to go on in the present state, and that page is returned.
// Lists are in the order of names, so no object comes twice.
func listPage(ctx context.Context, resource dynamic.ResourceInterface, o metav1.ListOptions) (*unstructured.UnstructuredList, error) {
	page, err := resource.List(ctx, o)
	var expired apierrors.APIStatus
	if o.Continue == "" || !apierrors.IsResourceExpired(err) || !errors.As(err, &expired) || expired.Status().Continue == "" {
		return page, err
	}
	o.Continue = expired.Status().Continue
	return resource.List(ctx, o)
}

// pageOf is a page with what read makes of its objects. wrong is told of each that cannot be
// read, which is left out; an error that it returns ends the page.
func pageOf(page *unstructured.UnstructuredList, read func(*unstructured.Unstructured) (runtime.Object, error), wrong func(error) error) (*metav1.List, error) {
	list := &metav1.List{ListMeta: metav1.ListMeta{
		ResourceVersion: page.GetResourceVersion(), Continue: page.GetContinue(), RemainingItemCount: page.GetRemainingItemCount(),
	}}
	for i := range page.Items {
		object, err := read(&page.Items[i])
		if err == nil {
			list.Items = append(list.Items, runtime.RawExtension{Object: object})
		} else if err := wrong(err); err != nil {
			return nil, err
		}
	}
	return list, nil
}
