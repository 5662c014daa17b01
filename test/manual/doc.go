// Package manual runs what the manual says to type, on a sandbox as "make sandbox" starts
// it, which is a process of its own: this package links no API server.
package manual
