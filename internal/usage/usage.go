// Package usage marks errors that are mistakes in a command line, so that a program can
// tell them from failures by its exit code.
package usage

import "fmt"

// Error is a mistake in the command line.
type Error struct{ err error }

// Errorf returns an Error with this text.
func Errorf(format string, args ...any) error { return Error{fmt.Errorf(format, args...)} }

// Error implements error.
func (e Error) Error() string { return e.err.Error() }

// Unwrap returns what the text was made of.
func (e Error) Unwrap() error { return e.err }
