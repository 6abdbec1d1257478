package operators

import (
	"github.com/weirstream/weir/flow"
	"github.com/weirstream/weir/state"
)

// OpenContext is what the Open function of a process operator may see: where it runs, and where state is declared.
type OpenContext struct {
	*Context
}

// opened is what all operators around users' functions have in common.
type opened struct {
	ctx   *Context
	close func() error // the user's; nil until Open was called
}

// open calls the user's Open.
func (o *opened) open(ctx *Context, open func(*OpenContext) error, close func() error) error {
	o.ctx = ctx
	o.close = close
	if open == nil {
		return nil
	}
	return open(&OpenContext{Context: ctx})
}

// Snapshot implements Operator.
func (o *opened) Snapshot(s *state.Snapshot, _ flow.Barrier) error { return nil }

// Close implements Operator.
func (o *opened) Close() error {
	if o.close == nil {
		return nil
	}
	return o.close()
}
