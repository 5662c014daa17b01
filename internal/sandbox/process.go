package sandbox

import (
	"context"

	"github.com/vicinity-sched/vicinity/internal/sandbox/process"
)

// Process is a child process of the sandbox.
type Process = process.Process

// StartProcess starts a program, as process.Start does.
func StartProcess(ctx context.Context, name, logPath, program string, args ...string) (*Process, error) {
	return process.Start(ctx, name, logPath, program, args...)
}
