package kube

import (
	"errors"
	"io"
)

// ReadObjects reads the output of kubectl get -A -o json or -o yaml: Lists and
// single objects, one after the other. file is the name for errors, which say
// the line. Kinds that a replay does not look at are counted in the warnings.
func ReadObjects(r io.Reader, file string) (*Objects, []Warning, error) {
	return nil, nil, errors.New(file + ": not read yet")
}
