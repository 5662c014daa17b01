package kubetest

import (
	"reflect"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// Fill sets every text in v, down to a depth, to what text returns for its path, such as
// "Pod.spec.nodeName"; keys of maps have a path that ends in {}. Whatever a later
// Kubernetes adds is set too.
func Fill(v reflect.Value, path string, depth int, text func(path string) string) {
	switch v.Interface().(type) {
	case metav1.Time, resource.Quantity:
		return
	case intstr.IntOrString:
		v.Set(reflect.ValueOf(intstr.FromString(text(path))))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(text(path))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int32, reflect.Int64:
		v.SetInt(7)
	case reflect.Pointer:
		if depth > 0 {
			v.Set(reflect.New(v.Type().Elem()))
			Fill(v.Elem(), path, depth-1, text)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() {
				name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
				below := path + "." + name
				if name == "" {
					below = path // inlined
				}
				Fill(v.Field(i), below, depth-1, text)
			}
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() != reflect.Uint8 && depth > 0 {
			v.Set(reflect.MakeSlice(v.Type(), 1, 1))
			Fill(v.Index(0), path, depth-1, text)
		}
	case reflect.Map:
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		Fill(key, path+"{}", depth-1, text)
		Fill(value, path, depth-1, text)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	}
}
