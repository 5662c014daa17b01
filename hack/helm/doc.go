// Package helm tests charts/vicinity with the real helm, and the examples for what deploys
// charts from a git repository. It is a module of its own, so that the scheduler's module
// requires neither helm nor the types of operators; it has no code.
//
//	go -C hack/helm build -o ../../bin/helm helm.sh/helm/v4/cmd/helm
//
// builds the same helm. Its version, and those of the operators' types, are not the latest:
// they need nothing newer than the scheduler's module does, so that the packages that both
// are made of are compiled once.
package helm
