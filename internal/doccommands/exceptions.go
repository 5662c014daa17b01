package doccommands

import "strings"

// Exception is a command of the manual that no session of the test runs.
type Exception struct {
	// Command is how the command begins.
	Command string
	// Page is the page that it stands on; "" is any.
	Page string
	// Because is the reason. Where another test or target runs the command, it says which.
	Because string
}

// Match says whether the exception is for a command of a page.
func (e Exception) Match(page, command string) bool {
	return (e.Page == "" || e.Page == page) && strings.HasPrefix(command, e.Command)
}

// Exceptions returns all commands that are not run. Each begins some command of the
// manual, and a reviewer has agreed with its reason.
func Exceptions() []Exception {
	const (
		minutes    = "measures for minutes, and its figures depend on the machine"
		rebuilds   = "compiles Kubernetes"
		needsPip   = "needs tools that a checkout does not have"
		network    = "needs a registry"
		dataset    = "needs a published data set"
		recordings = "needs hours of traffic; cmd/vicinity runs it: TestRecordingCommandsOfTheManual"
		long       = "takes hours; the quickstart's recording of two minutes is run"
		release    = "needs the files of a release, which compile Kubernetes; hack/release tests what makes and verifies them"
		begins     = "begins what the test has begun: the sandbox, whose address it has"
	)
	return []Exception{
		{Command: "make sandbox", Because: begins},
		{Command: "export KUBECONFIG=/tmp/", Because: begins},
		{Command: "bin/vicinity record --duration 1h", Because: long},
		{Command: "vicinity record --duration 1h", Because: long},
		{Command: "vicinity record --prometheus http://localhost:9090 --duration 24h", Because: long},
		{Command: "make demo", Because: "test/integration runs it: TestDemo"},
		{Command: "make test", Because: "is what runs this"},
		{Command: "make image", Because: rebuilds + "; hack/release/image tests what packs it"},
		{Command: "make reproducible", Because: rebuilds},
		{Command: "make real-meshes", Because: needsPip},
		{Command: "make bench", Because: minutes},
		{Command: "go test", Because: "is a test or a benchmark itself"},
		{Command: "skopeo", Because: network},
		{Command: "hack/buildcost.sh", Because: rebuilds},
		{Command: "go -C hack/release", Page: "docs/releasing.md", Because: release},
		{Command: "git tag", Page: "docs/releasing.md", Because: "changes the checkout"},
		{Command: "make release", Page: "docs/releasing.md", Because: release},
		{Command: "tar -xzf vicinity-v0.1.0", Page: "docs/releasing.md", Because: release},
		{Command: "kubectl krew install", Page: "docs/releasing.md", Because: release},
		{Command: "docker load", Page: "docs/releasing.md", Because: release},
		{Command: "helm install vicinity vicinity-0.1.0.tgz", Page: "docs/releasing.md", Because: release},
		{Command: "ln -s kubectl-vicinity \"${KREW_ROOT", Page: "docs/releasing.md", Because: release},
		{Command: "openssl", Page: "docs/releasing.md", Because: "openssl may not be installed; hack/release tests signatures"},
		{Command: "sha256sum --check", Page: "docs/releasing.md", Because: release},
		{Command: "git checkout v0.1.0", Because: "changes the checkout"},
		{Command: "for f in shop/edges-*.om", Because: needsPip},
		{Command: "vicinity replay mesh:heavy-tailed,size=300 --order", Because: minutes},
		{Command: "vicinity replay mesh/edges.csv", Because: minutes},
		{Command: "vicinity replay M3.json", Because: dataset},
		{Command: "vicinity replay edges/", Because: recordings},
		{Command: "vicinity replay prometheus-data/", Because: recordings},
		{Command: "vicinity replay shop.tar.zst --warm-up 2h", Because: recordings},
		{Command: "vicinity locality --prometheus http://localhost:9090 --shadow", Because: "needs days of shadow mode; cmd/vicinity tests it: TestLocalityShadow"},
	}
}
