// Package manifests holds what a cluster needs to run vicinity-scheduler, as
// kustomize files, and hands the shipped configuration to the programs and tests
// that run a scheduler with it. It reads and changes nothing itself.
package manifests

import "embed"

// Base is the kustomize base: base/kustomization.yaml and what it names.
//
//go:embed base
var Base embed.FS
