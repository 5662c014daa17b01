// Package importrules holds the tests that keep the module to its own rules:
// which package may import which, and that every package says what it is. The
// table is in rules_test.go. There is no code here for others to use.
package importrules
