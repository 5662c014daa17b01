package mesh

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"

	kjson "sigs.k8s.io/json"
	"sigs.k8s.io/yaml"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/internal/decodeerror"
)

// External stands in Call.From for a client outside the mesh; with ":host"
// behind it, it stands in Call.To for a server outside.
const External = "external"

// Call is one edge of the call graph: what a workload asks of a Service.
type Call struct {
	// From is the calling workload, "namespace/name", or "external".
	From string `json:"from"`
	// To is the called Service, "namespace/name", or "external:host".
	To string `json:"to"`
	// RequestsPerSecond is what all client pods send together.
	RequestsPerSecond float64 `json:"requestsPerSecond"`
	// RequestBytes and ResponseBytes are the sizes of one request and its
	// answer on the wire.
	RequestBytes  float64 `json:"requestBytes"`
	ResponseBytes float64 `json:"responseBytes"`
	// Protocol is http (default), grpc or tcp.
	Protocol string `json:"protocol,omitempty"`
}

// ParseCalls reads a call graph, a YAML or JSON list of calls. Unknown fields
// are errors, and an error names the call, the field and the rule.
func ParseCalls(r io.Reader) ([]Call, error) {
	data, err := io.ReadAll(io.LimitReader(r, 16<<20))
	if err != nil {
		return nil, fmt.Errorf("reading the call graph: %w", err)
	}
	// Each call is decoded by itself, so that the decoder's errors have a place.
	var items []json.RawMessage
	if err := yaml.UnmarshalStrict(data, &items); err != nil {
		return nil, fmt.Errorf("reading the call graph: %w", err)
	}
	calls := make([]Call, len(items))
	for i, item := range items {
		if err := calls[i].decode(item); err != nil {
			return nil, fmt.Errorf("call %d: %w", i, err)
		}
		if err := calls[i].complete(); err != nil {
			return nil, fmt.Errorf("call %d: %w", i, err)
		}
	}
	return calls, nil
}

func (c *Call) decode(item []byte) error {
	strict, err := kjson.UnmarshalStrict(item, c)
	if err == nil {
		err = errors.Join(strict...)
	}
	return decodeerror.Plain(err)
}

// complete sets defaults and checks the rules.
func (c *Call) complete() error {
	if c.Protocol == "" {
		c.Protocol = "http"
	}
	if c.Protocol != "http" && c.Protocol != "grpc" && c.Protocol != "tcp" {
		return fmt.Errorf("protocol: %q is none of http, grpc, tcp", c.Protocol)
	}
	if _, ok := name(c.From); !ok && c.From != External {
		return fmt.Errorf("from: %q is neither namespace/name nor %q", c.From, External)
	}
	if _, ok := name(c.To); !ok && !isExternalHost(c.To) {
		return fmt.Errorf("to: %q is neither namespace/name nor %q", c.To, External+":host")
	}
	if c.From == External && isExternalHost(c.To) {
		return fmt.Errorf("from and to: a call must have one end in the mesh")
	}
	for _, number := range []struct {
		field string
		v     float64
	}{
		{"requestsPerSecond", c.RequestsPerSecond}, {"requestBytes", c.RequestBytes}, {"responseBytes", c.ResponseBytes},
	} {
		if number.v < 0 || math.IsNaN(number.v) || math.IsInf(number.v, 0) {
			return fmt.Errorf("%s: %v must be a finite number that is not negative", number.field, number.v)
		}
	}
	return nil
}

func isExternalHost(to string) bool {
	host, ok := strings.CutPrefix(to, External+":")
	return ok && host != ""
}

// name reads "namespace/name".
func name(s string) (flowgraph.WorkloadID, bool) {
	namespace, name, ok := strings.Cut(s, "/")
	return flowgraph.WorkloadID{Namespace: namespace, Name: name}, ok && namespace != "" && name != "" && !strings.Contains(name, "/")
}
