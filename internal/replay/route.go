package replay

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/affinity"
	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
	"github.com/vicinity-sched/vicinity/internal/kube"
	"github.com/vicinity-sched/vicinity/internal/kube/objects"
	"github.com/vicinity-sched/vicinity/internal/kube/routing"
	"github.com/vicinity-sched/vicinity/internal/report"
	"github.com/vicinity-sched/vicinity/internal/usage"
)

// anyPolicy stands for a Service without trafficDistribution: calls go to any
// endpoint.
const anyPolicy = "Any"

// everyService stands instead of a Service's name for all of them.
const everyService = "all"

// Policies are the values of trafficDistribution (KEP-3015), and anyPolicy.
func Policies() []string {
	return []string{
		anyPolicy, corev1.ServiceTrafficDistributionPreferSameZone,
		corev1.ServiceTrafficDistributionPreferClose, corev1.ServiceTrafficDistributionPreferSameNode,
	}
}

// route is one assumption: calls to a Service, to those of a workload, or to
// every one are divided as a policy says.
type route struct{ arg, service, policy string }

func parseRoute(arg string) (route, error) {
	service, policy, ok := strings.Cut(arg, "=")
	switch {
	case !ok || service == "":
		return route{}, usage.Errorf("--route %q: want SERVICE=POLICY, such as shop/cart=%s or %s=%s",
			arg, corev1.ServiceTrafficDistributionPreferSameNode, everyService, corev1.ServiceTrafficDistributionPreferSameZone)
	case !slices.Contains(Policies(), policy):
		return route{}, usage.Errorf("--route %q: the policy %q must be one of %s", arg, policy, joined(Policies()))
	}
	return route{arg, service, policy}, nil
}

// assume changes a Service to the policy, to which DestinationRules for it give way.
func (r route) assume(s *corev1.Service) *corev1.Service {
	changed := r.apply(s)
	routing.IgnoreRules(changed)
	return changed
}

// apply changes a Service to the policy. What else it or its Namespace says of the same
// gives way; DestinationRules do not.
func (r route) apply(s *corev1.Service) *corev1.Service {
	changed := s.DeepCopy()
	delete(changed.Annotations, routing.TrafficDistributionAnnotation)
	changed.Spec.InternalTrafficPolicy, changed.Spec.TrafficDistribution = nil, nil
	if r.policy != anyPolicy {
		changed.Spec.TrafficDistribution = &r.policy
	} else {
		routing.PreferNothing(changed)
	}
	return changed
}

// assume changes the input's Services as the flags --route say, the later ones
// after the earlier, and how calls to their workloads are divided. DestinationRules
// for them give way.
func (in *still) assume(args []string) error {
	var all []assumption
	for _, arg := range args {
		r, err := parseRoute(arg)
		if err != nil {
			return err
		}
		chosen, err := in.servicesOf(r)
		if err != nil {
			return err
		}
		a := assumption{route: r, changed: len(chosen)}
		for _, i := range chosen {
			changed := r.assume(in.replayable.Objects[i].(*corev1.Service))
			in.replayable.Objects[i] = changed
			a.affected = append(a.affected, in.selectedBy(changed)...)
		}
		a.selects = len(a.affected) > 0
		all = append(all, a)
	}
	for i, a := range all {
		// A later flag may say otherwise of the same workloads.
		for _, later := range all[i+1:] {
			a.affected = slices.DeleteFunc(a.affected, func(w int) bool { return a.policy != later.policy && slices.Contains(later.affected, w) })
		}
		if err := in.assumeOne(a); err != nil {
			return err
		}
	}
	return nil
}

// assumption is what one flag --route has changed.
type assumption struct {
	route
	changed  int   // Services
	selects  bool  // its Services select any workload
	affected []int // positions of workloads of which no later flag says otherwise
}

// assumeOne checks that calls are divided as was assumed once all flags count.
func (in *still) assumeOne(a assumption) error {
	r, affected := a.route, a.affected
	slices.Sort(affected)
	affected = slices.Compact(affected)
	others, err := in.route(affected, r)
	switch {
	case err != nil:
		return err
	case r.service != everyService && !a.selects:
		return usage.Errorf("--route %q: the Service selects no workload of %s; name one that does", r.arg, in.name)
	case r.service != everyService && len(affected) > 0 && len(others) == len(affected):
		return usage.Errorf("--route %q: calls to %s would not be divided so: the Service is headless, or another one of the workload keeps less; set that one too",
			r.arg, others[0])
	case len(others) > 0:
		in.warnings = append(in.warnings, objects.Warning{
			Text:  "--route " + r.arg + ": calls to a workload are not divided so, as a Service of it is headless or keeps less",
			Count: len(others), Example: others[0].String(),
		}.String())
	}
	in.assumed = append(in.assumed, report.Route{Service: r.service, TrafficDistribution: r.policy, Services: a.changed})
	return nil
}

// route reads anew how calls to workloads are divided, and returns those of which
// it is not as was asked for.
func (in *still) route(workloads []int, r route) (others []flowgraph.WorkloadID, err error) {
	routes, err := in.routes(func(s *corev1.Service) *corev1.Service { return s })
	if err != nil {
		return nil, err
	}
	want := r.routing()
	for _, i := range workloads {
		w := &in.replayable.Cluster.Workloads[i]
		routes.Fill(w, in.replayable.Templates[i])
		if w.Routing != want || slices.ContainsFunc(slices.Collect(maps.Values(w.Exceptions)), func(r cluster.Route) bool { return r.Routing != want }) {
			others = append(others, w.ID)
		}
	}
	return others, nil
}

// services says what a trafficDistribution would do.
type services struct {
	// settable tells of each workload, by position, whether that of its Services would
	// count: not without one, nor with headless ones only.
	settable []bool
	// excepted tells from which namespaces calls would stay as they are all the same.
	excepted func(workload int32, callerNamespace string) bool
}

// any reports whether it would count anywhere.
func (s services) any() bool { return slices.Contains(s.settable, true) }

func (in *still) services() (services, error) {
	near := route{policy: corev1.ServiceTrafficDistributionPreferSameNode}
	routes, err := in.routes(near.apply)
	if err != nil {
		return services{}, err
	}
	settable, by := make([]bool, len(in.replayable.Templates)), make([]routing.ByCaller, len(in.replayable.Templates))
	for i, template := range in.replayable.Templates {
		by[i] = routes.ByCaller(template)
		settable[i] = by[i].Routing == near.routing()
	}
	return services{settable, func(w int32, callerNamespace string) bool {
		return by[w].From(callerNamespace).Routing != near.routing()
	}}, nil
}

// routes reads the input's Services, each as change returns it.
func (in *still) routes(change func(*corev1.Service) *corev1.Service) (routing.Routes, error) {
	stores, err := objects.NewStores()
	if err != nil {
		return routing.Routes{}, err
	}
	for _, object := range in.replayable.Objects {
		if service, ok := object.(*corev1.Service); ok {
			object = change(service)
		}
		if err := stores.Put(kube.ObjectChange{Object: object}); err != nil {
			return routing.Routes{}, err
		}
	}
	return stores.Routes()
}

func (r route) routing() affinity.Routing { return routing.Of(r.apply(&corev1.Service{})) }

// servicesOf returns the positions of the Services, among the objects, that a
// route names: the one of that name, or else those of the workload.
func (in *still) servicesOf(r route) ([]int, error) {
	var all, named, ofWorkload []int
	var names []string
	workload := slices.IndexFunc(in.replayable.Cluster.Workloads, func(w cluster.Workload) bool { return w.ID.String() == r.service })
	for i, object := range in.replayable.Objects {
		s, ok := object.(*corev1.Service)
		if !ok {
			continue
		}
		name := s.Namespace + "/" + s.Name
		all, names = append(all, i), append(names, name)
		if name == r.service {
			named = append(named, i)
		}
		if workload >= 0 && selects(s, in.replayable.Templates[workload]) {
			ofWorkload = append(ofWorkload, i)
		}
	}
	switch {
	case len(all) == 0:
		return nil, usage.Errorf("--route %q: %s has no Services; have kubectl get services too for --cluster", r.arg, in.name)
	case r.service == everyService:
		return all, nil
	case len(named) > 0:
		return named, nil
	case len(ofWorkload) > 0:
		return ofWorkload, nil
	case workload >= 0:
		return nil, usage.Errorf("--route %q: no Service selects this workload, so that no proxy divides calls to it; leave it out", r.arg)
	}
	return nil, in.unknownService(r, names)
}

// unknownService says what can be named instead: a Service of the same name in
// another namespace, or the first few.
func (in *still) unknownService(r route, names []string) error {
	bare := r.service[strings.LastIndex(r.service, "/")+1:]
	if i := slices.IndexFunc(names, func(name string) bool { return strings.HasSuffix(name, "/"+bare) }); i >= 0 {
		return usage.Errorf("--route %q: there is no Service or workload %q; did you mean %s?", r.arg, r.service, names[i])
	}
	const few = 5
	more := ""
	if len(names) > few {
		more = fmt.Sprintf(" and %d more", len(names)-few)
	}
	return usage.Errorf("--route %q: there is no Service or workload %q in %s; must be %s, or one of %s%s",
		r.arg, r.service, in.name, everyService, joined(names[:min(len(names), few)]), more)
}

// selectedBy returns the positions of the workloads that a Service selects.
func (in *still) selectedBy(s *corev1.Service) []int {
	var found []int
	for i, template := range in.replayable.Templates {
		if selects(s, template) {
			found = append(found, i)
		}
	}
	return found
}

// selects reports whether a Service is for a pod. An empty selector is for none.
func selects(s *corev1.Service, pod *corev1.Pod) bool {
	return s.Namespace == pod.Namespace && len(s.Spec.Selector) > 0 && labels.SelectorFromSet(s.Spec.Selector).Matches(labels.Set(pod.Labels))
}
