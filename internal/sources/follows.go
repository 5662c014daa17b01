package sources

// RoutingSetting says of a type whose mesh divides calls otherwise than Services ask
// (trafficDistribution) what to set in TrafficLocalityArgs for it; ok is false for the other
// types. docs/routing.md has the evidence.
func RoutingSetting(name string) (do string, ok bool) {
	switch name {
	case "consul", "kuma", "osm":
		return "routing: Uniform", true
	case "linkerd":
		return "routingPolicies: [InternalTrafficPolicy], or routing: SameZone where all Services ask for what is close", true
	}
	return "", false
}
