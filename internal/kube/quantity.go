package kube

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
)

// CheckQuantities refuses ResourcesOf such as 1e-100000000: resource.Quantity would
// compute with as many digits.
func CheckQuantities(raw []byte) error {
	if !hasLargeExponent(raw) {
		return nil
	}
	// It may be a name or a version; the fields tell.
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var object any
	if err := d.Decode(&object); err != nil {
		return err
	}
	return checkFields("", object)
}

// ParseQuantity parses a quantity as Kubernetes does, and refuses those that
// CheckQuantities refuses.
func ParseQuantity(text string) (resource.Quantity, error) {
	if hasLargeExponent([]byte(text)) {
		return resource.Quantity{}, ErrAmount
	}
	return resource.ParseQuantity(text)
}

// checkFields looks for quantities in the value of a field.
func checkFields(field string, value any) error {
	switch value := value.(type) {
	case []any:
		for _, element := range value {
			if err := checkFields(field, element); err != nil {
				return err
			}
		}
	case map[string]any:
		for key, element := range value {
			if isResourceList(field) || key == "sizeLimit" || key == "divisor" || key == "minBandwidth" {
				if text := scalar(element); hasLargeExponent([]byte(text)) {
					return fmt.Errorf("%s is %.40q: %w", Printable(key), text, ErrAmount)
				}
			}
			if err := checkFields(key, element); err != nil {
				return err
			}
		}
	}
	return nil
}

// scalar is the text of a string or a number.
func scalar(value any) string {
	switch value := value.(type) {
	case string:
		return strings.TrimSpace(value)
	case json.Number:
		return value.String()
	}
	return ""
}

// isResourceList reports whether the values of a field are quantities.
func isResourceList(field string) bool {
	switch field {
	case "requests", "limits", "overhead", "allocatable", "capacity", "allocatedResources", "resources":
		return true
	}
	return false
}

// hasLargeExponent reports whether a number with an exponent of three digits or
// more stands anywhere in the text, as a whole string or by itself.
func hasLargeExponent(raw []byte) bool {
	for i := 1; i < len(raw)-3; i++ {
		if raw[i]|0x20 != 'e' || !isDigit(raw[i-1]) && raw[i-1] != '.' {
			continue
		}
		j := i + 1
		if raw[j] == '-' || raw[j] == '+' {
			j++
		}
		digits := j
		for j < len(raw) && isDigit(raw[j]) {
			j++
		}
		if j-digits >= 3 && (j == len(raw) || strings.IndexByte("\",]} \t\r\n", raw[j]) >= 0) {
			return true
		}
	}
	return false
}

func isDigit(b byte) bool { return '0' <= b && b <= '9' }

// ErrAmount is the error for an amount that no machine has.
var ErrAmount = errors.New("no such amount")

// ResourcesOf returns the CPU and the memory in a list. Its error is an ErrAmount.
func ResourcesOf(list corev1.ResourceList) (cluster.Resources, error) {
	const maxCPU, maxMemory = 1 << 40, 1 << 60 // far beyond any machine, far from overflow
	cpu, memory := list[corev1.ResourceCPU], list[corev1.ResourceMemory]
	if !Within(&cpu, maxCPU) {
		return cluster.Resources{}, fmt.Errorf("cpu %s: %w", cpu.String(), ErrAmount)
	}
	if !Within(&memory, maxMemory) {
		return cluster.Resources{}, fmt.Errorf("memory %s: %w", memory.String(), ErrAmount)
	}
	return cluster.Resources{MilliCPU: cpu.MilliValue(), Memory: memory.Value()}, nil
}

// Within reports whether a quantity is at least 0 and at most this.
func Within(q *resource.Quantity, most int64) bool { return q.Sign() >= 0 && q.CmpInt64(most) <= 0 }
