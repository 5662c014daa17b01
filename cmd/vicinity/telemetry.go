package main

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/internal/sources"
	"github.com/vicinity-sched/vicinity/internal/usage"
	"github.com/vicinity-sched/vicinity/plugins/config"
	v1 "github.com/vicinity-sched/vicinity/plugins/config/v1"
	"github.com/vicinity-sched/vicinity/plugins/config/validation"
)

// trafficOptions are the flags of the verbs that read the traffic of a cluster.
type trafficOptions struct {
	telemetryOptions
	clusterOptions
}

// addFlags adds them. namespace says what --namespace means for the verb; for one that is about
// the whole cluster it is "", and the flag says where to look for Prometheus.
func (o *trafficOptions) addFlags(cmd *cobra.Command, namespace string) {
	o.telemetryOptions.addFlags(cmd)
	o.clusterOptions.addFlags(cmd)
	if namespace != "" {
		o.addNamespaceFlag(cmd, namespace)
	} else {
		o.addSearchFlag(cmd)
	}
	o.findIn(&o.clusterOptions)
}

// telemetryOptions are the flags of the verbs that ask telemetry sources.
type telemetryOptions struct {
	prometheus, configFile string
	window, timeout        time.Duration
	cluster, selector      string
	types                  []string // of the sources; without them, what is there says
	formerCluster          string   // the flag that has another name now
	reachOptions
}

func (o *telemetryOptions) addFlags(cmd *cobra.Command) {
	standard := v1.TelemetryConfiguration{}
	standard.SetDefaults()
	f := cmd.Flags()
	f.StringVar(&o.prometheus, "prometheus", "", "base `URL` of the Prometheus API, without /api/v1, or a Service of the cluster as svc:NAMESPACE/NAME:PORT (default: the one that is found in the cluster)")
	f.StringVar(&o.configFile, "telemetry-config", "", "the scheduler's TelemetryConfiguration `FILE`, instead of --prometheus")
	f.DurationVar(&o.window, "window", standard.Sources[0].Window.Duration, "range of the rates; at least four scrape intervals (not with --telemetry-config)")
	f.StringVar(&o.cluster, "mesh-cluster", "", "the mesh's `NAME` of the cluster; traffic that names another is left out (not with --telemetry-config)")
	f.StringVar(&o.formerCluster, "cluster", "", "")
	if err := f.MarkHidden("cluster"); err != nil {
		panic(err) // no such flag
	}
	f.StringVar(&o.selector, "selector", "", "further PromQL label `MATCHERS` without braces, such as job=\"envoy\" (not with --telemetry-config)")
	f.DurationVar(&o.timeout, "timeout", standard.Prometheus.Timeout.Duration, "how long one query may take (not with --telemetry-config)")
	cmd.MarkFlagsMutuallyExclusive("prometheus", "telemetry-config") // for completion; check, which comes first, says it better
	addCompletion(cmd, map[string]cobra.CompletionFunc{
		"prometheus":       o.completeServer,
		"telemetry-config": cobra.FixedCompletions([]string{"yaml", "yml", "json"}, cobra.ShellCompDirectiveFilterFileExt),
		"window":           cobra.FixedCompletions([]string{"1m", "5m", "15m", "1h"}, cobra.ShellCompDirectiveNoFileComp),
		"timeout":          cobra.FixedCompletions([]string{"10s", "30s", "2m"}, cobra.ShellCompDirectiveNoFileComp),
		"mesh-cluster":     cobra.NoFileCompletions,
		"selector":         cobra.NoFileCompletions,
	})
}

// addTypeFlag adds the flag for the types of sources.
func (o *telemetryOptions) addTypeFlag(cmd *cobra.Command) {
	cmd.Flags().StringSliceVar(&o.types, "source", nil,
		"read sources of this `TYPE`, or of several with commas between them; vicinity sources list names them (default: that whose metrics Prometheus has; not with --telemetry-config)")
	addCompletion(cmd, map[string]cobra.CompletionFunc{"source": completeTypes})
}

// addCompletion says what may follow flags that the command has.
func addCompletion(cmd *cobra.Command, complete map[string]cobra.CompletionFunc) {
	for flag, f := range complete {
		if err := cmd.RegisterFlagCompletionFunc(flag, f); err != nil {
			panic(err) // no such flag
		}
	}
}

// defaultSource is the source of a configuration that names none.
func defaultSource() v1.TelemetrySource {
	standard := v1.TelemetryConfiguration{}
	standard.SetDefaults()
	return standard.Sources[0]
}

// check reports mistakes in the flags.
func (o *telemetryOptions) check(cmd *cobra.Command) error {
	see := cmd.CommandPath()
	if err := o.within.checkThere(); err != nil {
		return err
	}
	if o.prometheus != "" {
		if err := checkSearch(cmd, "--prometheus"); err != nil {
			return err
		}
	} else if o.configFile != "" {
		if err := checkSearch(cmd, "--telemetry-config"); err != nil {
			return err
		}
	}
	switch {
	case cmd.Flags().Changed("cluster"):
		return usage.Errorf("--cluster: the mesh's name of the cluster is --mesh-cluster. Type: %s --mesh-cluster %s", see, o.formerCluster)
	case o.prometheus == "" && o.configFile == "" && !o.within.named():
		return usage.Errorf("which Prometheus? Type: %s --prometheus http://localhost:9090, or %s --telemetry-config FILE; "+
			"or name a cluster to find it in, with --kubeconfig FILE or KUBECONFIG", see, see)
	case o.prometheus != "" && o.configFile != "":
		return usage.Errorf("--prometheus and --telemetry-config exclude each other: the file names the server. Type: %s --telemetry-config %s", see, o.configFile)
	case o.configFile == "":
		if err := o.checkService(o.prometheus); err != nil {
			return err
		}
		return o.checkTypes()
	}
	for _, f := range flagFields() {
		if cmd.Flags().Changed(f.flag) {
			return usage.Errorf("--%s does not go with --telemetry-config: set %s in %s", f.flag, f.field, o.configFile)
		}
	}
	return nil
}

// checkTypes reports types of sources that there are none of, or that a flag cannot define.
func (o *telemetryOptions) checkTypes() error {
	for i, name := range o.types {
		if slices.Contains(o.types[:i], name) {
			return usage.Errorf("--source: %s is named twice", name)
		}
		kind, ok, err := sources.Named(v1.SourceType(name))
		switch {
		case err != nil:
			return err
		case !ok:
			return unknownType("--source: ", name)
		case kind.IsCustom():
			return usage.Errorf("--source %s: such a source is what a file says; give it with --telemetry-config. vicinity sources show %s prints one to begin with", name, name)
		}
	}
	return nil
}

// unknownType is the error for the name of a type that there is none of.
func unknownType(before, name string) error {
	why := sources.Unknown(v1.SourceType(name))
	if why != "" {
		why = ": " + why
	}
	return usage.Errorf("%sthere is no type of sources called %q%s; type: vicinity sources list", before, name, why)
}

// flagField pairs a flag with the field of the TelemetryConfiguration that it
// stands for.
type flagField struct{ flag, field string }

// flagFields returns the flags that do not go with --telemetry-config.
func flagFields() []flagField {
	return []flagField{
		{"window", "sources[0].window"},
		{"mesh-cluster", "sources[0].cluster"},
		{"selector", "sources[0].selector"},
		{"timeout", "prometheus.timeout"},
		{"source", "sources[0].type"},
	}
}

// configuration returns what the flags ask for as the scheduler's own
// configuration, defaulted and validated. Without types of sources, it has the default one.
func (o *telemetryOptions) configuration(cmd *cobra.Command, s streams, types ...string) (*v1.TelemetryConfiguration, error) {
	if o.configFile != "" {
		c, err := config.LoadTelemetry(o.configFile)
		if err == nil {
			err = o.reachConfigured(cmd, s, c)
		}
		return c, usage.File("--telemetry-config", err)
	}
	server, err := o.reach(cmd, s, o.prometheus)
	if err != nil {
		return nil, err
	}
	c := &v1.TelemetryConfiguration{
		TypeMeta: metav1.TypeMeta{APIVersion: v1.GroupVersion, Kind: v1.TelemetryConfigurationKind},
		Prometheus: v1.Prometheus{
			URL:     server,
			Timeout: &metav1.Duration{Duration: o.timeout},
		},
	}
	if len(types) == 0 {
		types = []string{string(defaultSource().Type)}
	}
	for _, name := range types {
		c.Sources = append(c.Sources, v1.TelemetrySource{
			Type: v1.SourceType(name), Window: &metav1.Duration{Duration: o.window}, Cluster: o.cluster, Selector: o.selector,
		})
	}
	c.SetDefaults()
	if err := config.OneLine(withFlags(validation.TelemetryConfiguration(c))); err != nil {
		return nil, usage.Errorf("%w; see %s --help", err, cmd.CommandPath())
	}
	return c, nil
}

// withFlags returns the mistakes in a configuration that flags have made, each once, with
// the flag in place of the field.
func withFlags(mistakes field.ErrorList) field.ErrorList {
	var all field.ErrorList
	for _, m := range mistakes {
		name := m.Field
		if _, of, ok := strings.Cut(name, "]."); ok && strings.HasPrefix(name, "sources[") {
			name = "sources[0]." + of
		}
		for _, f := range append(flagFields(), flagField{"prometheus", "prometheus.url"}) {
			if name == f.field {
				m.Field = "--" + f.flag
			}
		}
		if !slices.ContainsFunc(all, func(o *field.Error) bool { return o.Error() == m.Error() }) {
			all = append(all, m)
		}
	}
	return all
}

// explain makes the error of a failed refresh one line that ends with the next
// step. It returns nil for nil.
func (o *telemetryOptions) explain(failed error) error {
	var own coded
	if mistake := (usage.Error{}); failed == nil || errors.As(failed, &mistake) || errors.As(failed, &own) {
		return failed
	}
	text := strings.ReplaceAll(failed.Error(), "\n", "; ") // errors.Join
	step := cmp.Or(tlsStep(failed, o.configFile), o.nextOnTheWay(telemetry.FailureOf(failed)), nextStep(telemetry.FailureOf(failed), o.configFile))
	if stopped := (*telemetry.FindingError)(nil); errors.As(failed, &stopped) {
		step = o.next(stopped.Source, stopped.Finding)
	}
	if cluster := (clusterError{}); errors.As(failed, &cluster) {
		step = "" // it has its own, and its time-outs are not those of queries
	}
	if step != "" {
		text += "; " + step
	}
	return errors.New(text)
}

// next says what to do about a finding of a source: with flags where they are used,
// else in the file.
func (o *telemetryOptions) next(source string, f telemetry.Finding) string {
	if o.configFile != "" {
		return f.Next(telemetry.SetInFile(o.configFile, source))
	}
	return f.Next(func(setting, value string) string {
		for _, known := range flagFields() {
			if known.field == "sources[0]."+setting {
				return "use --" + known.flag + " " + shellQuoted(value)
			}
		}
		return "set " + setting + " to " + value + " in a file given with --telemetry-config"
	})
}

// shellQuoted quotes a value for a shell where it needs to be.
func shellQuoted(value string) string {
	if value != "" && !strings.ContainsFunc(value, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-_./:", r)
	}) {
		return value
	}
	return "'" + strings.ReplaceAll(value, "'", `'\''`) + "'"
}

// tlsStep says what to do about a server whose TLS is not as it should be, "" for other failures.
func tlsStep(failed error, configFile string) string {
	name, unverified := x509.HostnameError{}, (*tls.CertificateVerificationError)(nil)
	file := cmp.Or(configFile, "a file given with --telemetry-config")
	switch {
	case errors.Is(failed, http.ErrSchemeMismatch):
		return "the server does not speak TLS: begin the address with http://"
	case errors.As(failed, &name):
		return "use a name that is in the certificate, or set prometheus.tls.serverName in " + file + " to one"
	case errors.As(failed, &unverified):
		return "set prometheus.tls.caFile in " + file + " to the certificate authority of the server"
	}
	return ""
}

// nextStep says what to do about a failure, "" when nothing is known to help.
// configFile is "" when there is none.
func nextStep(f telemetry.Failure, configFile string) string {
	timeout, file := "--timeout", "a file given with --telemetry-config"
	if configFile != "" {
		timeout, file = "prometheus.timeout in "+configFile, configFile
	}
	switch f {
	case telemetry.Timeout:
		return "raise " + timeout + " or look at the server's load"
	case telemetry.Unreachable:
		return "check the address; a Prometheus in the cluster is named as --prometheus svc:monitoring/prometheus:9090, " +
			"or found without --prometheus"
	case telemetry.Denied:
		return "set prometheus.bearerTokenFile or prometheus.basicAuth in " + file
	case telemetry.Rejected:
		return "check that the address is the base of a Prometheus API, without /api/v1, and look at the server's log: it may be starting or overloaded"
	case telemetry.Partial:
		return "a store behind the server is missing: the scheduler does not use such an answer either"
	case telemetry.TooLarge:
		return "raise prometheus.maxSeries or prometheus.maxBodyBytes in " + file
	case telemetry.Empty:
		return "check that Prometheus scrapes what the source reads, and the selector, cluster and window of the source"
	case telemetry.Mixed: // the finding says it better
		return "select one cluster with cluster or selector of the source"
	case telemetry.BadAnswer:
		return "check that the address is the base of a Prometheus API, with its path prefix if it has one and without /api/v1"
	case telemetry.Panicked:
		return "this is a bug of Vicinity: report it with the lines above"
	}
	return ""
}
