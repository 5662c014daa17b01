// Package promfind finds a server of the Prometheus API in a cluster, and a way to it from
// outside: through the API server's proxy for Services, or else through a port-forward of its
// own. It asks the server nothing but whether it answers, reads no metrics, and knows no flags.
package promfind

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/vicinity-sched/vicinity/flowgraph/telemetry/promapi"
)

// Service is a port of a Service at which the Prometheus API is expected.
type Service struct {
	Namespace, Name string
	// Port is that of the Service, 0 where it is still to be chosen.
	Port int32
	// Scheme is http or https.
	Scheme string
	// Path comes before /api/v1; "" or it begins with a slash.
	Path string
}

// String returns the form that ParseService reads, without svc:.
func (s Service) String() string {
	text := s.Namespace + "/" + s.Name
	if s.Port != 0 {
		text += ":" + strconv.Itoa(int(s.Port))
	}
	return text + s.Path
}

// URL is the base of the API as seen from within the cluster.
func (s Service) URL() string {
	u := url.URL{Scheme: s.Scheme, Host: net.JoinHostPort(s.Name+"."+s.Namespace+".svc", strconv.Itoa(int(s.Port))), Path: s.Path}
	return u.String()
}

// Prefix begins the name of a Service, as ParseService reads it.
const Prefix = "svc:"

// ParseService reads svc:NAMESPACE/NAME[:PORT][/PATH].
func ParseService(text string) (Service, error) {
	form := errors.New("must be " + Prefix + "NAMESPACE/NAME or " + Prefix + "NAMESPACE/NAME:PORT")
	parts := strings.SplitN(strings.TrimPrefix(text, Prefix), "/", 3)
	if len(parts) < 2 {
		return Service{}, form
	}
	name, port, hasPort := strings.Cut(parts[1], ":")
	s := Service{Namespace: parts[0], Name: name}
	if len(parts) == 3 && parts[2] != "" {
		s.Path = "/" + strings.TrimRight(parts[2], "/")
	}
	if !isLabel(s.Namespace) || !isLabel(s.Name) {
		return Service{}, form
	}
	if !hasPort {
		return s, nil
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil || number == 0 {
		return Service{}, form
	}
	s.Port = int32(number)
	return s, nil
}

// ServiceOf returns the Service that a URL names from within a cluster: its host is
// NAME.NAMESPACE, NAME.NAMESPACE.svc or NAME.NAMESPACE.svc.DOMAIN.
func ServiceOf(base string) (Service, bool) {
	u, err := url.Parse(base)
	if err != nil || net.ParseIP(u.Hostname()) != nil {
		return Service{}, false
	}
	parts := strings.Split(strings.TrimSuffix(u.Hostname(), "."), ".")
	if len(parts) < 2 || len(parts) > 2 && parts[2] != "svc" || !isLabel(parts[0]) || !isLabel(parts[1]) {
		return Service{}, false
	}
	s := Service{Namespace: parts[1], Name: parts[0], Scheme: u.Scheme, Path: strings.TrimRight(u.Path, "/"), Port: 80}
	if u.Scheme == "https" {
		s.Port = 443
	}
	if port, err := strconv.ParseUint(u.Port(), 10, 16); err == nil {
		s.Port = int32(port)
	}
	return s, true
}

// isLabel reports whether text can be the name of a Service or of a namespace.
func isLabel(text string) bool {
	return text != "" && len(text) <= 63 && !strings.ContainsFunc(text, func(r rune) bool {
		return r != '-' && (r < 'a' || r > 'z') && (r < '0' || r > '9')
	})
}

// Found is a server that answers, and the way to it.
type Found struct {
	Service Service
	// Route is the way.
	Route *promapi.Route
	// Way says which, such as "through the API server".
	Way string

	rank     int
	headless bool
	system   string
}

// Finder looks in one cluster.
type Finder struct {
	config *rest.Config
	client kubernetes.Interface
	also   []string
	// forward returns what connects to a Service by a port-forward.
	forward func(Service) dialFunc
}

// askTimeout is how long a server may take to say that it is one, on one way.
const askTimeout = 5 * time.Second

// New returns a Finder. also are namespaces to look in when the account may not list the
// Services of all.
func New(config *rest.Config, also ...string) (*Finder, error) {
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("making a client: %w", err)
	}
	f := &Finder{config: config, client: client, also: also}
	f.forward = func(s Service) dialFunc { return newForward(config, client, s).dial }
	return f, nil
}

// Find returns the only server that answers. Where there are several, the error is a
// *SeveralError; where none answers, a *NoneError.
func (f *Finder) Find(ctx context.Context) (*Found, error) {
	services, looked, err := f.list(ctx)
	if err != nil {
		return nil, err
	}
	return f.choose(ctx, candidatesAmong(services), looked)
}

// Candidates returns the Services that look like a server, without asking them.
func (f *Finder) Candidates(ctx context.Context) ([]Service, error) {
	services, _, err := f.list(ctx)
	var all []Service
	for _, c := range candidatesAmong(services) {
		all = append(all, c.Service)
	}
	return all, err
}

// FindIn is Find for one namespace.
func (f *Finder) FindIn(ctx context.Context, namespace string) (*Found, error) {
	list, err := f.client.CoreV1().Services(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("looking for Prometheus: listing the Services of namespace %s: %w", namespace, err)
	}
	return f.choose(ctx, candidatesAmong(list.Items), []string{namespace})
}

// choose returns the candidate that answers.
func (f *Finder) choose(ctx context.Context, candidates []candidate, looked []string) (*Found, error) {
	answers := f.tryAll(ctx, candidates)
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("looking for Prometheus: %w", err)
	}
	none := &NoneError{Namespaces: looked}
	var found []*Found
	for _, a := range answers {
		if a.found != nil {
			found = append(found, a.found)
		} else {
			none.Tried = append(none.Tried, Tried{a.candidate.Service, a.why})
		}
	}
	found = f.distinct(ctx, found)
	switch len(found) {
	case 0:
		return nil, none
	case 1:
		return found[0], nil
	}
	slices.SortFunc(found, func(a, b *Found) int { return cmp.Compare(a.Service.String(), b.Service.String()) })
	return nil, &SeveralError{Found: found}
}

// Reach returns the way to a Service. With ownEyes, what is sent is for the server alone,
// credentials for example: then only a port-forward will do, because the API server's proxy
// reads requests, and takes some headers for itself. Whether there is such a Service is told by
// apierrors.IsNotFound.
func (f *Finder) Reach(ctx context.Context, s Service, ownEyes bool) (*Found, error) {
	service, err := f.client.CoreV1().Services(s.Namespace).Get(ctx, s.Name, metav1.GetOptions{})
	switch {
	case apierrors.IsForbidden(err) && s.Port != 0:
		// Who may not read it may still use its proxy.
		service = nil
	case err != nil:
		return nil, &UnreadError{s, err}
	}
	c, err := candidateOf(service, s)
	if err != nil {
		return nil, err
	}
	if ownEyes {
		return f.byForward(ctx, c, "")
	}
	found, why := f.try(ctx, c)
	if found == nil {
		return nil, fmt.Errorf("service %s: %s", c.Service, why)
	}
	return found, nil
}

// candidateOf settles what is not said of a Service that was named. service is nil where it
// may not be read.
func candidateOf(service *corev1.Service, s Service) (candidate, error) {
	if service == nil {
		s.Scheme = cmp.Or(s.Scheme, "http")
		return candidate{Service: s}, nil
	}
	kind, known := kindOf(service)
	if !known {
		kind = kinds()[0]
	}
	port, ok := kind.port(service)
	if i := slices.IndexFunc(service.Spec.Ports, func(p corev1.ServicePort) bool { return p.Port == s.Port }); i >= 0 {
		port, ok = service.Spec.Ports[i], true
	} else if s.Port != 0 {
		return candidate{}, fmt.Errorf("service %s/%s has no port %d; it has %s", s.Namespace, s.Name, s.Port, portsOf(service))
	}
	if !ok {
		return candidate{}, fmt.Errorf("service %s/%s: which port? It has %s", s.Namespace, s.Name, portsOf(service))
	}
	s.Port = port.Port
	s.Scheme = cmp.Or(s.Scheme, schemeOf(port))
	if s.Path == "" && known {
		s.Path = kind.path
	}
	return candidate{Service: s, kind: kind, headless: service.Spec.ClusterIP == corev1.ClusterIPNone}, nil
}

func portsOf(service *corev1.Service) string {
	var ports []string
	for _, p := range service.Spec.Ports {
		ports = append(ports, strings.TrimSpace(fmt.Sprintf("%d %s", p.Port, p.Name)))
	}
	return cmp.Or(strings.Join(ports, ", "), "none")
}
