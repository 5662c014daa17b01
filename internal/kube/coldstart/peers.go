// Package coldstart finds in Kubernetes objects what is declared of the traffic of new
// workloads: by an annotation, by the AppGroups of scheduler-plugins, by the egress hosts of
// Istio's Sidecars, and by the workloads whose place they take. What becomes of it is the
// business of package declared.
package coldstart

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/declared"
	"github.com/vicinity-sched/vicinity/internal/kube"
)

// PeersAnnotation names the peers of a workload and what it exchanges with them:
// "shop/cart=1Mi/s, db". It counts on the controller, or else in its template.
const PeersAnnotation = "vicinity.dev/peers"

// NamedPeer is an entry of the annotation.
type NamedPeer struct {
	flowgraph.WorkloadID
	// Rate is in bytes per second; 0 where the entry says none.
	Rate float64
}

const (
	// mostEntries bounds the work that an annotation causes.
	mostEntries = 2 * declared.MaxPeers
	longestRate = 40 // bytes of text
)

// ParsePeers reads the annotation of a workload in a namespace. What is wrong with entries
// is one error, which repeats the first; the other entries count.
func ParsePeers(text, namespace string) ([]NamedPeer, error) {
	var peers []NamedPeer
	var wrong []error
	entries := 0
	for entry := range strings.SplitSeq(text, ",") {
		if entry = strings.TrimSpace(entry); entry == "" {
			continue
		}
		if entries++; entries > mostEntries {
			break
		}
		peer, err := parsePeer(entry, namespace)
		switch {
		case err != nil:
			wrong = append(wrong, fmt.Errorf("%s: %w", strconv.Quote(shortened(entry)), err))
		case slices.ContainsFunc(peers, func(p NamedPeer) bool { return p.WorkloadID == peer.WorkloadID }):
			wrong = append(wrong, fmt.Errorf("%s: the peer is named before; name it once", strconv.Quote(shortened(entry))))
		case len(peers) == declared.MaxPeers:
			wrong = append(wrong, fmt.Errorf("only the first %d peers count; leave out those with the least traffic", declared.MaxPeers))
			return peers, first(wrong)
		default:
			peers = append(peers, peer)
		}
	}
	return peers, first(wrong)
}

func first(wrong []error) error {
	switch n := len(wrong); n {
	case 0:
		return nil
	case 1:
		return wrong[0]
	default:
		return fmt.Errorf("%w; %d more are wrong", wrong[0], n-1)
	}
}

// shortened is a text as a message repeats it.
func shortened(text string) string {
	const most = 80
	if len(text) > most {
		return text[:most] + "..."
	}
	return text
}

var (
	errPeer = errors.New("the peer must be the name of a workload, such as cart, or shop/cart for one in another namespace")
	errRate = errors.New("the rate must be a quantity per second above 0, such as 1Mi/s")
)

// parsePeer reads "[NAMESPACE/]NAME[=RATE]".
func parsePeer(entry, namespace string) (NamedPeer, error) {
	name, rate, rated := strings.Cut(entry, "=")
	peer := NamedPeer{WorkloadID: flowgraph.WorkloadID{Namespace: namespace, Name: strings.TrimSpace(name)}}
	if of, bare, ok := strings.Cut(peer.Name, "/"); ok {
		peer.Namespace, peer.Name = of, bare
	}
	if !flowgraph.ValidName(peer.Name) || peer.Namespace != namespace && !flowgraph.ValidNamespace(peer.Namespace) {
		return peer, errPeer
	}
	if !rated {
		return peer, nil
	}
	text := strings.TrimSuffix(strings.TrimSpace(rate), "/s")
	if len(text) > longestRate {
		return peer, errRate
	}
	amount, err := kube.ParseQuantity(strings.TrimSpace(text))
	if err != nil || amount.Sign() <= 0 {
		return peer, errRate
	}
	peer.Rate = min(amount.AsApproximateFloat64(), flowgraph.MaxRate)
	return peer, nil
}

// FormatPeers writes the annotation that ParsePeers reads.
func FormatPeers(peers []NamedPeer) string {
	var entries []string
	for _, p := range peers {
		entry := p.String()
		if p.Rate > 0 {
			// Nothing smaller than a thousandth of a byte is told apart.
			entry += "=" + strconv.FormatFloat(max(p.Rate, flowgraph.MinRate), 'f', 3, 64) + "/s"
		}
		entries = append(entries, entry)
	}
	return strings.Join(entries, ",")
}
