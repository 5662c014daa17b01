package promapi

// labels are those of one series. They are overwritten by the next one, but the
// strings that Get returns stay as they are. They implement telemetry.Labels.
type labels struct {
	bytes    []byte // names and values one after the other
	refs     []labelRef
	interned interner
}

// labelRef is where a label begins in labels.bytes, where its value does, and
// where it ends.
type labelRef struct{ name, value, end int }

func (l *labels) reset() {
	l.bytes, l.refs = l.bytes[:0], l.refs[:0]
}

// Get returns the value of the label, "" when there is none. Of two labels of
// the same name, which a server should not send, the last one counts.
func (l *labels) Get(name string) string {
	for i := len(l.refs) - 1; i >= 0; i-- {
		r := l.refs[i]
		if string(l.bytes[r.name:r.value]) == name {
			return l.interned.string(l.bytes[r.value:r.end])
		}
	}
	return ""
}

// interner makes strings, the same one for the same bytes: a million series
// name some thousand workloads. It forgets all when it holds too much, so that
// an answer without repetition costs no more memory than one with.
type interner struct {
	strings map[string]string
	held    int // bytes
}

func (in *interner) string(b []byte) string {
	const (
		maxHeld  = 8 << 20
		overhead = 64 // of a string and its place in the map
	)
	if len(b) == 0 {
		return ""
	}
	if s, known := in.strings[string(b)]; known {
		return s
	}
	s := string(b)
	if in.held += len(s) + overhead; in.strings == nil || in.held > maxHeld {
		in.strings, in.held = map[string]string{}, len(s)+overhead
	}
	in.strings[s] = s
	return s
}
