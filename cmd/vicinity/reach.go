package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry/promapi"
	"github.com/vicinity-sched/vicinity/internal/promfind"
	"github.com/vicinity-sched/vicinity/internal/telemetrysetup"
	"github.com/vicinity-sched/vicinity/internal/usage"
	v1 "github.com/vicinity-sched/vicinity/plugins/config/v1"
)

// reachOptions are how a verb comes to Prometheus. The way is looked for once.
type reachOptions struct {
	// within is the cluster to look in; without it, the address has to be given and is
	// connected to.
	within *clusterOptions
	// route is the way, nil where the address is connected to; way says which, and url is the
	// server's address within the cluster, service its name for --prometheus.
	route             *promapi.Route
	way, url, service string
	reached           bool
	// lookup returns the addresses of a name; nil asks the system.
	lookup func(ctx context.Context, host string) ([]string, error)
}

const (
	// findTimeout is how long it may take to find Prometheus.
	findTimeout = 30 * time.Second
	// lookupTimeout is how long a name server may take to say that a name is none.
	lookupTimeout = 3 * time.Second
)

// lookingForServer is the line of progress meanwhile.
const lookingForServer = "looking for the way to Prometheus..."

// findIn says in which cluster to look for Prometheus.
func (o *reachOptions) findIn(cluster *clusterOptions) { o.within = cluster }

// client returns the client of the configured server, on the way that was found.
func (o *reachOptions) client(cfg *v1.TelemetryConfiguration) (*promapi.Client, error) {
	return telemetrysetup.Client(cfg, o.route)
}

// checkService reports a Service that is named wrongly.
func (o *reachOptions) checkService(server string) error {
	if !strings.HasPrefix(server, promfind.Prefix) {
		return nil
	}
	if _, err := promfind.ParseService(server); err != nil {
		return usage.Errorf("--prometheus %q: %w", server, err)
	}
	if o.within == nil {
		return usage.Errorf("--prometheus %q: must be a URL such as http://localhost:9090", server)
	}
	return nil
}

// reach returns the address of the server that --prometheus names, or of the one in the
// cluster, and finds the way to it.
func (o *telemetryOptions) reach(cmd *cobra.Command, s streams, server string) (string, error) {
	if o.reached || o.within == nil {
		return cmp.Or(o.url, server), nil
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), findTimeout)
	defer cancel()
	s.line()(lookingForServer)
	var found *promfind.Found
	var err error
	switch {
	case server == "":
		found, err = o.find(ctx, cmd)
	case strings.HasPrefix(server, promfind.Prefix):
		var service promfind.Service
		if service, err = promfind.ParseService(server); err == nil {
			found, err = o.reachService(ctx, service, false)
		}
	case promapi.ValidateURL(server) == nil: // what is none is reported later
		found, err = o.reachAddress(ctx, server, false)
	}
	if err != nil {
		return "", err
	}
	o.take(s, found)
	return cmp.Or(o.url, server), nil
}

// take makes what was found the way, and says so.
func (o *reachOptions) take(s streams, found *promfind.Found) {
	o.reached = true
	if found == nil {
		return
	}
	o.route, o.way, o.url = found.Route, found.Way, found.Service.URL()
	o.service = promfind.Prefix + found.Service.String()
	s.tell("Prometheus: %s, %s", found.Service, found.Way)
}

// reachConfigured finds the way to the server of a file. What the file has for the server
// alone, credentials for example, does not go through the API server's proxy: that would take
// them for its own. A certificate that is to be checked rules it out as well.
func (o *telemetryOptions) reachConfigured(cmd *cobra.Command, s streams, cfg *v1.TelemetryConfiguration) error {
	if o.reached || o.within == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), findTimeout)
	defer cancel()
	s.line()(lookingForServer)
	p := cfg.Prometheus
	alone := p.BearerTokenFile != "" || p.BasicAuth != nil || p.TLS != nil || len(p.Headers) > 0 || strings.HasPrefix(p.URL, "https:")
	found, err := o.reachAddress(ctx, p.URL, alone)
	if forward := (*promfind.ForwardError)(nil); errors.As(err, &forward) {
		return fmt.Errorf("%s: %w; credentials, headers and https in the file are for Prometheus alone, and rule out the API server's proxy. "+
			"Ask for create on pods/portforward, or run this in the cluster; docs/connecting.md", o.configFile, err)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", o.configFile, err)
	}
	o.take(s, found)
	return nil
}

// finder returns what looks in the cluster.
func (o *reachOptions) finder() (*promfind.Finder, error) {
	config, err := o.within.restConfig("vicinity")
	if err != nil {
		return nil, err
	}
	return promfind.New(config, o.within.namespace, o.within.contextNamespace())
}

// find finds Prometheus in the cluster. The errors say what to type.
func (o *reachOptions) find(ctx context.Context, cmd *cobra.Command) (*promfind.Found, error) {
	see := cmd.CommandPath()
	f, err := o.finder()
	if err != nil {
		return nil, fmt.Errorf("looking for Prometheus in the cluster: %w; or type: %s --prometheus http://localhost:9090", err, see)
	}
	if flag := cmd.Flags().Lookup("namespace"); flag != nil && flag.Annotations[searchOnly] != nil && o.within.namespace != "" {
		found, err := f.FindIn(ctx, o.within.namespace)
		return found, whatToType(ctx, err, see)
	}
	found, err := f.Find(ctx)
	return found, whatToType(ctx, err, see)
}

// whatToType adds the next step to an error of looking for Prometheus.
func whatToType(ctx context.Context, err error, see string) error {
	several, none, unlisted := (*promfind.SeveralError)(nil), (*promfind.NoneError)(nil), (*promfind.ListError)(nil)
	switch {
	case errors.As(err, &several):
		var choices []string
		for _, f := range several.Found {
			choices = append(choices, see+" --prometheus "+promfind.Prefix+f.Service.String())
		}
		return fmt.Errorf("%w. Choose one; type: %s", err, strings.Join(choices, ", or "))
	case errors.As(err, &none):
		return fmt.Errorf("%w. Name it: %s --prometheus svc:NAMESPACE/NAME:PORT, or %s --prometheus URL, or with credentials %s --telemetry-config FILE; docs/connecting.md", err, see, see, see)
	case errors.As(err, &unlisted):
		return fmt.Errorf("%w. Name it instead: %s --prometheus svc:NAMESPACE/NAME:PORT, or %s --prometheus URL; docs/connecting.md", err, see, see)
	case err == nil, errors.Is(ctx.Err(), context.Canceled):
		return err
	}
	return fmt.Errorf("%w; check the cluster with: kubectl get services --all-namespaces; or type: %s --prometheus http://localhost:9090", err, see)
}

// reachService finds the way to a Service that was named.
func (o *reachOptions) reachService(ctx context.Context, s promfind.Service, alone bool) (*promfind.Found, error) {
	f, err := o.finder()
	if err != nil {
		return nil, fmt.Errorf("finding Service %s: %w", s, err)
	}
	found, err := f.Reach(ctx, s, alone)
	if unread := (*promfind.UnreadError)(nil); errors.As(err, &unread) && ctx.Err() == nil {
		return nil, fmt.Errorf("%w; see: kubectl get services --namespace %s", err, s.Namespace)
	}
	return found, err
}

// reachAddress finds the way to an address, nil where it is to be connected to: unless its
// host is that of a Service of the cluster, and no name here.
func (o *reachOptions) reachAddress(ctx context.Context, address string, alone bool) (*promfind.Found, error) {
	s, ok := promfind.ServiceOf(address)
	if !ok || o.resolves(ctx, address) {
		return nil, nil
	}
	found, err := o.reachService(ctx, s, alone)
	unread := (*promfind.UnreadError)(nil)
	switch none := (noKubeconfigError{}); {
	case errors.As(err, &none), apierrors.IsNotFound(err), errors.As(err, &unread) && !strings.Contains(address, ".svc"):
		return nil, nil // it may be a name of elsewhere: that it cannot be connected to says it all
	}
	return found, err
}

// resolves reports whether a URL's host has an address here.
func (o *reachOptions) resolves(ctx context.Context, address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	lookup := o.lookup
	if lookup == nil {
		lookup = net.DefaultResolver.LookupHost
	}
	found, err := lookup(ctx, u.Hostname())
	return err == nil && len(found) > 0
}

// serverFlag is the flag that names the server again, with a space before it; "" where it was
// found.
func (o *telemetryOptions) serverFlag() string {
	if o.prometheus == "" {
		return ""
	}
	return " --prometheus " + shellQuoted(o.prometheus)
}

// nextOnTheWay says what to do about a failure on the way through a cluster, "" where nothing
// is known to help.
func (o *reachOptions) nextOnTheWay(f telemetry.Failure) string {
	if o.route == nil {
		return ""
	}
	switch {
	case f == telemetry.Unreachable:
		return "it is asked " + o.way + ": look at its pods, and at the permissions in docs/connecting.md"
	case f == telemetry.Denied && o.route.Transport != nil:
		return "it is asked " + o.way + ": the account needs get on services/proxy; docs/connecting.md"
	}
	return ""
}
