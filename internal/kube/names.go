package kube

import (
	"strconv"
	"strings"
	"unicode"
)

// FullName is "namespace/name", or the name alone of what is in no namespace, as it may
// stand in a message.
func FullName(namespace, name string) string {
	if namespace == "" {
		return Printable(name)
	}
	return Printable(namespace + "/" + name)
}

// Printable returns a name as it may stand in a terminal: quoted where it is empty or
// has anything else than printable characters in it, and cut where it is longer than
// any valid name.
func Printable(name string) string {
	const most = 300 // no valid name of namespace and object is as long
	if len(name) > most {
		name = name[:most] + "..."
	}
	if name == "" || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar }) {
		return strconv.Quote(name)
	}
	return name
}
