package actors

import (
	"fmt"
	"runtime/debug"
)

// Failure is why an actor failed: an error that an operator gave to Fail, or a panic with its stack.
type Failure struct {
	Cause error
	Stack string // of a panic; empty for Fail
}

func (f *Failure) Error() string { return f.Cause.Error() }

func (f *Failure) Unwrap() error { return f.Cause }

// failureOf makes a Failure of what recover returned.
func failureOf(r any) *Failure {
	switch r := r.(type) {
	case *Failure:
		return r
	case error:
		return &Failure{Cause: fmt.Errorf("panic: %w", r), Stack: string(debug.Stack())}
	}
	return &Failure{Cause: fmt.Errorf("panic: %v", r), Stack: string(debug.Stack())}
}
