// Package objects knows the kinds of Kubernetes objects that Vicinity records and
// replays. One table says of each kind how it is read, which of its fields are kept, how
// they are renamed, and where it is stored. A cluster file and a recording keep the same
// fields, so that both score a cluster alike. What becomes of objects over time is the
// business of package history.
package objects
