package main

import (
	"bytes"

	"go.yaml.in/yaml/v3"
)

// plugin is the program that krew installs, as kubectl-vicinity.
const plugin = "vicinity"

// downloads is where released files are.
const downloads = "https://github.com/vicinity-sched/vicinity/releases/download/"

// krewPlugin is a manifest for krew, in the order in which its documentation has the fields.
type krewPlugin struct {
	APIVersion string            `yaml:"apiVersion"`
	Kind       string            `yaml:"kind"`
	Metadata   map[string]string `yaml:"metadata"`
	Spec       krewSpec          `yaml:"spec"`
}

type krewSpec struct {
	Version          string         `yaml:"version"`
	Homepage         string         `yaml:"homepage"`
	ShortDescription string         `yaml:"shortDescription"`
	Description      string         `yaml:"description"`
	Caveats          string         `yaml:"caveats"`
	Platforms        []krewPlatform `yaml:"platforms"`
}

type krewPlatform struct {
	Selector krewSelector `yaml:"selector"`
	URI      string       `yaml:"uri"`
	SHA256   string       `yaml:"sha256"`
	Bin      string       `yaml:"bin"`
}

type krewSelector struct {
	MatchLabels map[string]string `yaml:"matchLabels"`
}

const krewDescription = `Shows how much traffic of a service mesh crosses nodes and zones, what it
costs, and what the Vicinity scheduler would save, from the mesh's telemetry in
Prometheus. It only reads.
`

// krew links kubectl-vicinity and nothing else to the program.
const krewCaveats = `kubectl completes its arguments when it finds it under a second name:

  ln -s kubectl-vicinity "${KREW_ROOT:-$HOME/.krew}/bin/kubectl_complete-vicinity"
`

// addKrew makes the manifest, where the plugin is among the programs.
func (r *release) addKrew() error {
	p := krewPlugin{
		APIVersion: "krew.googlecontainertools.github.com/v1alpha2", Kind: "Plugin", Metadata: map[string]string{"name": plugin},
		Spec: krewSpec{
			Version: r.version, Homepage: "https://github.com/vicinity-sched/vicinity",
			ShortDescription: "Show traffic between nodes and zones, and its cost",
			Description:      krewDescription, Caveats: krewCaveats,
		},
	}
	for _, platform := range r.platforms {
		system, arch := osArch(platform)
		archive := r.base(plugin, platform) + ".tar.gz"
		if r.archiveSums[archive] == "" {
			continue
		}
		p.Spec.Platforms = append(p.Spec.Platforms, krewPlatform{
			Selector: krewSelector{map[string]string{"os": system, "arch": arch}},
			URI:      downloads + r.version + "/" + archive, SHA256: r.archiveSums[archive], Bin: plugin,
		})
	}
	if len(p.Spec.Platforms) == 0 {
		return nil
	}
	text := &bytes.Buffer{}
	encoder := yaml.NewEncoder(text)
	encoder.SetIndent(2)
	if err := encoder.Encode(p); err != nil {
		return err
	}
	return r.write(plugin+".krew.yaml", text.Bytes())
}
