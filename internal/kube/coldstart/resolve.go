package coldstart

import (
	"maps"
	"slices"
	"strings"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/declared"
)

// part is a workload's part of the pods behind a name.
type part struct {
	id    flowgraph.WorkloadID
	share float64
}

// resolve returns the workload of a name, or those behind the Service of that name. A
// workload that is not there yet counts by its name.
func (w *Workloads) resolve(id flowgraph.WorkloadID) []part {
	if w.known[id] == nil {
		if parts := w.behind(id.Namespace, id.Name); len(parts) > 0 {
			return parts
		}
	}
	return []part{{id, 1}}
}

// behindKey is what workloads are looked for by: labels of their pods that are written one
// after the other.
type behindKey struct{ namespace, labels string }

type labelKey struct{ namespace, key, value string }

// mostLooked is how many workloads the selectors of one namespace are compared with each time
// that New looks: a tenant can write as many selectors as workloads.
const mostLooked = 100_000

// found is what several workloads have in common, and New looks for once.
type found struct {
	behind map[behindKey][]part
	// labelled are the workloads of the namespaces that were looked through, by a label of
	// their pods, and looked how many of them selectors have been compared with.
	labelled map[labelKey][]*workload
	looked   map[string]int
	lines    map[kinship]line
	groups   map[memberKey][]declared.Peer
	egress   map[*Sidecar][]declared.Peer
}

func newFound() *found {
	return &found{
		behind: map[behindKey][]part{}, labelled: map[labelKey][]*workload{}, looked: map[string]int{}, lines: map[kinship]line{},
		groups: map[memberKey][]declared.Peer{}, egress: map[*Sidecar][]declared.Peer{},
	}
}

// gathering collects peers that workloads have in common, of which each is to have
// declared.MaxPeers without itself.
type gathering struct {
	peers []declared.Peer
	times map[flowgraph.WorkloadID]int
	most  int // times that any of them is a peer
}

func (g *gathering) isEnough() bool { return len(g.peers)-g.most >= declared.MaxPeers }

func (g *gathering) add(parts []part, peer declared.Peer) {
	for _, p := range parts {
		if g.isEnough() {
			return
		}
		if g.times == nil {
			g.times = map[flowgraph.WorkloadID]int{}
		}
		g.times[p.id]++
		g.most = max(g.most, g.times[p.id])
		of := peer
		of.ID, of.Share = p.id, peer.Share*p.share
		g.peers = append(g.peers, of)
	}
}

// without returns the first declared.MaxPeers of peers without a workload.
func without(id flowgraph.WorkloadID, all []declared.Peer) (peers []declared.Peer) {
	for _, p := range all {
		if len(peers) == declared.MaxPeers {
			break
		}
		if p.ID != id {
			peers = append(peers, p)
		}
	}
	return peers
}

// behind returns the workloads that a Service selects, by the pods that are wanted of each.
func (w *Workloads) behind(namespace, name string) []part {
	if w.options.Services == nil {
		return nil
	}
	service, err := w.options.Services.Services(namespace).Get(name)
	if err != nil || len(service.Spec.Selector) == 0 {
		return nil
	}
	return w.selected(namespace, service.Spec.Selector)
}

// mostParts is how many workloads behind a name can count: one of them may be the workload that
// names it.
const mostParts = declared.MaxPeers + 1

// selected returns the workloads of a namespace whose pods have labels, by the pods that are
// wanted of each: the first by name, as many as can count.
func (w *Workloads) selected(namespace string, selector map[string]string) (parts []part) {
	var text strings.Builder
	for _, key := range slices.Sorted(maps.Keys(selector)) {
		text.WriteString(key + "\x00" + selector[key] + "\x00")
	}
	key := behindKey{namespace, text.String()}
	if parts, known := w.found.behind[key]; known {
		return parts
	}
	sum := 0.0
	for _, is := range w.candidates(namespace, selector) {
		if selects(selector, is.podLabels()) {
			share := float64(max(is.all, 1))
			sum += share
			parts = append(parts, part{is.id, share})
		}
	}
	for i := range parts {
		parts[i].share /= sum
	}
	slices.SortFunc(parts, func(a, b part) int { return a.id.Compare(b.id) })
	if len(parts) > mostParts { // without the memory of the others
		parts = slices.Clone(parts[:mostParts])
	}
	w.found.behind[key] = parts
	return parts
}

// candidates returns the workloads of a namespace that have the rarest label of a selector,
// none once the namespace's selectors have been compared with too many.
func (w *Workloads) candidates(namespace string, selector map[string]string) (rarest []*workload) {
	if _, known := w.found.looked[namespace]; !known {
		w.found.looked[namespace] = 0
		for _, is := range w.within[namespace] {
			for key, value := range is.podLabels() {
				at := labelKey{namespace, key, value}
				w.found.labelled[at] = append(w.found.labelled[at], is)
			}
		}
	}
	first := true
	for key, value := range selector {
		if have := w.found.labelled[labelKey{namespace, key, value}]; first || len(have) < len(rarest) {
			rarest, first = have, false
		}
	}
	if w.found.looked[namespace] += len(rarest); w.found.looked[namespace] > mostLooked {
		return nil
	}
	return rarest
}

// selects reports whether labels have all that a selector asks for.
func selects(selector, labels map[string]string) bool {
	for key, value := range selector {
		if got, ok := labels[key]; !ok || got != value {
			return false
		}
	}
	return true
}
