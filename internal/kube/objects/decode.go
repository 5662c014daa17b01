package objects

import (
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	"github.com/vicinity-sched/vicinity/internal/decodeerror"
	"github.com/vicinity-sched/vicinity/internal/kube"
)

// Decoder reads objects one by one. What equal objects of one owner have in common is in
// memory once.
type Decoder struct {
	table    *Table
	warnings Warnings
	sharing  *Sharing
}

// NewDecoder returns a Decoder.
func NewDecoder() *Decoder {
	return &Decoder{table: NewTable(), sharing: NewSharing()}
}

// Warnings returns what the objects read so far are, and a replay does not take over.
func (d *Decoder) Warnings() []Warning { return d.warnings.List() }

// Decode reads an object in JSON, which must say its kind. It returns nil for an object
// that a replay ignores.
func (d *Decoder) Decode(raw []byte) (runtime.Object, error) {
	h, err := headerOf(raw)
	if err != nil {
		return nil, err
	}
	return d.decode(h, raw)
}

// decode reads an object whose kind is known. raw may be written over afterwards.
func (d *Decoder) decode(h header, raw []byte) (runtime.Object, error) {
	k := d.table.kindNamed(h)
	switch {
	case k != nil && k.read == nil:
		return nil, nil // as recordings have them
	case k != nil:
		return d.read(k, raw)
	case h.kind == "" || h.apiVersion == "":
		return nil, errors.New("an object without kind and apiVersion; must be what kubectl get -A -o json writes")
	}
	text, example := fmt.Sprintf("a replay does not look at %s %s", kube.Printable(h.apiVersion), kube.Printable(h.kind)), ""
	if !d.warnings.has(text) {
		example = nameOf(raw)
	}
	d.warnings.Add(text, example)
	return nil, nil
}

func (d *Decoder) read(k *Kind, raw []byte) (runtime.Object, error) {
	object, err := k.read(raw, func(text string) { d.warnings.Add(text, nameOf(raw)) })
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s %s: %w", k.Kind, nameOf(raw), worded(err))
	case object.GetName() == "":
		return nil, fmt.Errorf("a %s without a name", k.Kind)
	case object.GetNamespace() == "" && !k.clusterScoped:
		object.SetNamespace(metav1.NamespaceDefault)
	}
	d.sharing.Share(k, object)
	return object, nil
}

// worded says what a decoder refused in the words of the file.
func worded(err error) error {
	if errors.Is(err, resource.ErrFormatWrong) || errors.Is(err, resource.ErrNumeric) || errors.Is(err, resource.ErrSuffix) {
		return errors.New("an amount is no number with a unit of Kubernetes, such as 500m or 2Gi")
	}
	return decodeerror.Plain(err)
}

// nameOf is "namespace/name" of any object, as far as it has them.
func nameOf(raw []byte) string {
	var object struct {
		Metadata struct {
			Namespace string `json:"namespace"`
			Name      string `json:"name"`
		} `json:"metadata"`
	}
	// A malformed object has no name; the caller says what is wrong with it.
	_ = utiljson.Unmarshal(raw, &object)
	return kube.FullName(object.Metadata.Namespace, object.Metadata.Name)
}
