package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/package-url/packageurl-go"

	"github.com/vicinity-sched/vicinity/hack/release/linked"
)

// billOfMaterials returns what a program is made of, as JSON of CycloneDX: the modules that
// it says it was built with, their licences, and which imports which. It has the time of the
// source and no serial number, so that the same program has the same bill.
func billOfMaterials(r *release, program, platform string, build *debug.BuildInfo, modules []*linked.Module, digest string) ([]byte, error) {
	sums := map[string]string{}
	for _, dep := range build.Deps {
		sums[dep.Path] = dep.Sum
	}
	refs := map[string]string{}
	for _, m := range modules {
		refs[m.Path] = purl(m, r.version, build.GoVersion)
	}
	bom := cdx.NewBOM()
	bom.SpecVersion, bom.JSONSchema = cdx.SpecVersion1_6, "http://cyclonedx.org/schema/bom-1.6.schema.json"
	bom.Components, bom.Dependencies = &[]cdx.Component{}, &[]cdx.Dependency{}
	for _, m := range modules {
		*bom.Dependencies = append(*bom.Dependencies, dependency(m, refs))
		component := cdx.Component{
			BOMRef: refs[m.Path], Type: cdx.ComponentTypeLibrary, Name: m.Path, Version: m.Version, PackageURL: refs[m.Path], Licenses: licences(m),
		}
		switch {
		case m.Main:
			system, arch := osArch(platform)
			component.Type, component.Name, component.Version = cdx.ComponentTypeApplication, program, r.version
			component.Hashes = &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: digest}}
			component.Properties = &[]cdx.Property{
				{Name: "vicinity:commit", Value: r.commit}, {Name: "cdx:gomod:build:env:GOOS", Value: system}, {Name: "cdx:gomod:build:env:GOARCH", Value: arch},
			}
			bom.Metadata = &cdx.Metadata{Timestamp: r.created.Format(time.RFC3339), Component: &component}
			continue
		case m.Path == linked.Std:
			component.Version = build.GoVersion
		default:
			hash, err := moduleHash(sums[m.Path])
			if err != nil {
				return nil, fmt.Errorf("%s: %w", m, err)
			}
			component.Hashes = &[]cdx.Hash{hash}
		}
		*bom.Components = append(*bom.Components, component)
	}
	if bom.Metadata == nil {
		return nil, errors.New("nothing of the main module is linked")
	}
	text := &bytes.Buffer{}
	err := cdx.NewBOMEncoder(text, cdx.BOMFileFormatJSON).SetPretty(true).SetEscapeHTML(false).Encode(bom)
	return text.Bytes(), err
}

// dependency says what the packages of a module import, by references to modules.
func dependency(m *linked.Module, refs map[string]string) cdx.Dependency {
	d := cdx.Dependency{Ref: refs[m.Path]}
	if len(m.Imports) == 0 {
		return d
	}
	var imports []string
	for _, path := range m.Imports {
		imports = append(imports, refs[path])
	}
	slices.Sort(imports)
	d.Dependencies = &imports
	return d
}

// purl returns the package URL of a module.
func purl(m *linked.Module, version, goVersion string) string {
	switch {
	case m.Path == linked.Std:
		version = strings.TrimPrefix(goVersion, "go")
	case !m.Main:
		version = m.Version
	}
	namespace, name := "", m.Path
	if last := strings.LastIndex(m.Path, "/"); last >= 0 {
		namespace, name = m.Path[:last], m.Path[last+1:]
	}
	qualifiers := packageurl.QualifiersFromMap(map[string]string{"type": "module"})
	return packageurl.NewPackageURL(packageurl.TypeGolang, namespace, name, version, qualifiers, "").ToString()
}

// moduleHash returns the checksum that go.sum has of a module as a SHA-256, as the tools of
// CycloneDX do: it is one of the module's files and their hashes.
func moduleHash(sum string) (cdx.Hash, error) {
	digest, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(sum, "h1:"))
	if err != nil || len(digest) != 32 {
		return cdx.Hash{}, fmt.Errorf("checksum %q lacks the prefix \"h1:\" of go.sum", sum)
	}
	return cdx.Hash{Algorithm: cdx.HashAlgoSHA256, Value: hex.EncodeToString(digest)}, nil
}

func licences(m *linked.Module) *cdx.Licenses {
	var all cdx.Licenses
	for _, id := range m.Licences() {
		all = append(all, cdx.LicenseChoice{License: &cdx.License{ID: id}})
	}
	if len(all) == 0 {
		return nil
	}
	return &all
}
