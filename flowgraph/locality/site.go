package locality

// SharesZone reports whether a site and a node are in one zone, as far as is known: their
// zones have one name, and their regions too unless either is unknown.
func SharesZone(site, node Locality) bool {
	return site.Zone != "" && site.Zone == node.Zone && (site.Region == node.Region || site.Region == "" || node.Region == "")
}
