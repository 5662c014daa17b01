// Package manifests holds what a cluster needs to run vicinity-scheduler, as
// kustomize files, and hands the shipped configurations to the programs and tests
// that run a scheduler with them. It reads and changes nothing itself.
package manifests

import "embed"

// Base is the kustomize base: base/kustomization.yaml and what it names.
//
//go:embed base
var Base embed.FS

// Profiles are the scheduler configurations for one purpose each:
// profiles/latency.yaml, profiles/cost.yaml and profiles/availability.yaml.
//
//go:embed profiles
var Profiles embed.FS

// Examples are objects to begin one's own with.
//
//go:embed examples
var Examples embed.FS
