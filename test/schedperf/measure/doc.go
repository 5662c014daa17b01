// Package measure is the pure part of the scheduler's benchmark: which cases
// there are, who a profile's samples belong to, and what is reported. It starts
// nothing and reads no clock.
package measure
