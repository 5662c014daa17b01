package objects

import (
	"strings"

	networking "istio.io/api/networking/v1alpha3"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/vicinity-sched/vicinity/internal/kube/coldstart"
)

// appGroupKind is that of scheduler-plugins. One that cannot be decoded is held as one that
// has nothing but its name, and declares nothing.
func appGroupKind() Kind {
	k := typed[coldstart.AppGroup, *coldstart.AppGroup]{
		group: coldstart.AppGroupGroup, version: coldstart.AppGroupVersion, resource: coldstart.AppGroupResource,
		keep: func(to, from *coldstart.AppGroup) { to.Spec = from.Spec },
		anonymize: func(a *Anonymizer, g *coldstart.AppGroup) {
			a.meta(&g.ObjectMeta, a.name(g.Name))
			for i := range g.Spec.Workloads {
				w := &g.Spec.Workloads[i]
				a.member(&w.Workload)
				for k := range w.Dependencies {
					a.member(&w.Dependencies[k].Workload)
				}
			}
		},
	}.kind()
	k.convert = func(u *unstructured.Unstructured) (runtime.Object, error) {
		group, _ := coldstart.ReadAppGroup(u) // the error is noted when the recording is read
		return group, nil
	}
	k.read = func(raw []byte, note func(string)) (heldObject, error) {
		group, err := coldstart.DecodeAppGroup(raw)
		if err != nil {
			note("an AppGroup cannot be decoded, and is skipped")
		}
		kept, _ := k.keep(group).(*coldstart.AppGroup)
		return kept, nil
	}
	return k
}

// member renames a workload as an AppGroup names it. Its selector is what a label of its
// pods says.
func (a *Anonymizer) member(info *coldstart.AppGroupWorkloadInfo) {
	info.Name, info.Selector = a.name(info.Name), a.name(info.Selector)
	if info.Namespace != "" {
		info.Namespace = a.namespace(info.Namespace)
	}
}

// sidecarKind is Istio's, with what says where calls go.
func sidecarKind() Kind {
	k := typed[coldstart.Sidecar, *coldstart.Sidecar]{
		group: coldstart.SidecarGroup, version: "v1", resource: coldstart.SidecarResource,
		keep: func(to, from *coldstart.Sidecar) {
			if s := from.Spec.WorkloadSelector; s != nil {
				to.Spec.WorkloadSelector = &networking.WorkloadSelector{Labels: s.Labels}
			}
			to.Spec.Egress = keepEach(from.Spec.Egress, func(l *networking.IstioEgressListener) *networking.IstioEgressListener {
				return &networking.IstioEgressListener{Hosts: l.GetHosts()}
			})
		},
		anonymize: func(a *Anonymizer, s *coldstart.Sidecar) {
			a.meta(&s.ObjectMeta, a.name(s.Name))
			if selector := s.Spec.WorkloadSelector; selector != nil {
				selector.Labels = a.labels(selector.Labels)
			}
			for _, listener := range s.Spec.Egress {
				renameEach(listener.Hosts, a.egressHost)
			}
		},
	}.kind()
	k.versions = []string{"v1beta1", "v1alpha3"}
	k.convert = func(u *unstructured.Unstructured) (runtime.Object, error) {
		sidecar, _ := coldstart.ReadSidecar(u) // the error is noted when the recording is read
		return sidecar, nil
	}
	k.read = func(raw []byte, note func(string)) (heldObject, error) {
		sidecar, err := coldstart.DecodeSidecar(raw)
		if err != nil {
			note("a Sidecar cannot be decoded, and is skipped")
		}
		kept, _ := k.keep(sidecar).(*coldstart.Sidecar)
		return kept, nil
	}
	return k
}

// egressHost renames "namespace/host", and "~namespace/host" which excludes it.
func (a *Anonymizer) egressHost(text string) string {
	namespace, host, ok := strings.Cut(text, "/")
	if !ok {
		return a.hash("host", text)
	}
	without := ""
	if rest, excluded := strings.CutPrefix(namespace, "~"); excluded && rest != "" {
		without, namespace = "~", rest
	}
	if host != "*" {
		host = a.host(host)
	}
	return without + a.exportTo(namespace) + "/" + host
}

// peers renames what the annotation of a workload in a namespace declares. Entries that are
// wrong are left out.
func (a *Anonymizer) peers(namespace, text string) string {
	peers, _ := coldstart.ParsePeers(text, namespace)
	for i := range peers {
		peers[i].WorkloadID = a.Workload(peers[i].WorkloadID)
	}
	return coldstart.FormatPeers(peers)
}
