// Package v1 holds version v1 of Vicinity's configuration: the files' and
// arguments' types and their defaults. Validation is package validation's
// matter, reading is package config's.
package v1

// GroupVersion is the apiVersion of every kind in this package.
const GroupVersion = "config.vicinity.dev/v1"
