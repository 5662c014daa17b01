package cut

// Links is how far the networks of the nodes are used, as calls are divided under
// Configured.
type Links struct {
	// Known is how many nodes' bandwidth is known.
	Known int
	// Busiest is the largest part of a node's bandwidth that is used in either
	// direction, more than 1 where it cannot be.
	Busiest float64
}

// links adds up what each node exchanges with others and with the outside.
func (l *Layout) links(at []ends) Links {
	var links Links
	for i := range l.c.Nodes {
		if l.c.Nodes[i].Bandwidth > 0 {
			links.Known++
		}
	}
	if links.Known == 0 {
		return links
	}
	out, in := make([]float64, len(l.c.Nodes)), make([]float64, len(l.c.Nodes))
	carry := func(from, to int32, bytes float64) {
		if from >= 0 {
			out[from] += bytes
		}
		if to >= 0 {
			in[to] += bytes
		}
	}
	for i, e := range l.c.Edges {
		if unserved := at[i].from >= 0 && at[i].to >= 0 && !l.served(at[i]); unserved {
			continue
		}
		for _, part := range l.parts(at[i], l.configured(at[i])) {
			if part.From != part.To {
				carry(part.From, part.To, part.BytesPerSecond*e.SentBytesPerSecond)
				carry(part.To, part.From, part.BytesPerSecond*e.ReceivedBytesPerSecond)
			}
		}
	}
	for i := range l.c.Nodes {
		if has := l.c.Nodes[i].Bandwidth; has > 0 {
			links.Busiest = max(links.Busiest, out[i]/has, in[i]/has)
		}
	}
	return links
}
