// Package usage marks errors that are mistakes in a command line, so that a program can
// tell them from failures by its exit code.
package usage

import (
	"errors"
	"fmt"
	"io/fs"
)

// Error is a mistake in the command line.
type Error struct{ err error }

// Errorf returns an Error with this text.
func Errorf(format string, args ...any) error { return Error{fmt.Errorf(format, args...)} }

// Error implements error.
func (e Error) Error() string { return e.err.Error() }

// Unwrap returns what the text was made of.
func (e Error) Unwrap() error { return e.err }

// File returns err, which came of a file that the command line names with a flag or an
// argument, so that it begins with that. A file that cannot be opened is a mistake in the
// command line; about what is in the file, and of one that cannot be written further, err is
// returned as it is. It returns nil for nil.
func File(flag string, err error) error {
	var failed *fs.PathError
	if !errors.As(err, &failed) || failed.Op == "write" {
		return err
	}
	return Errorf("%s %s: %w", flag, failed.Path, failed.Err)
}
