package operators

import (
	"errors"
	"fmt"

	"github.com/weirstream/weir/codec"
	"github.com/weirstream/weir/flow"
	"github.com/weirstream/weir/state"
)

// OpenContext is what the Open function of a process operator may see: where it runs, and where state is declared, as in
// state.NewValue[int64](o, "count"). State that is declared has what was restored at once, and is in every snapshot. What
// is wrong with declarations fails the operator when Open has returned.
type OpenContext struct {
	*Context
	op *opened
}

// StateBackend implements state.Registry: keyed state is declared here. Operators that have no key fail to open.
func (o *OpenContext) StateBackend() *state.Backend {
	if o.op.keyed != nil {
		return o.op.keyed
	}
	o.op.keyless = true
	key, _ := codec.KeyFor[bool]() // for a backend that takes the declarations, until open reports the mistake
	return &state.NewBackend(key, flow.KeyGroupRange{From: 0, To: 1}, 1, o.Clock).Backend
}

// OperatorStates implements state.OperatorRegistry: state that belongs to the subtask is declared here.
func (o *OpenContext) OperatorStates() *state.OperatorStates { return o.op.unkeyed }

// opened is what all operators around users' functions have in common: the user's Close, and declared state.
type opened struct {
	ctx     *Context
	close   func() error          // the user's; nil until Open was called
	keyed   *state.Backend        // nil without a key
	keyless bool                  // keyed state was declared without a key
	unkeyed *state.OperatorStates // what belongs to the subtask
}

// open calls the user's Open, and looks at what was declared there.
func (o *opened) open(ctx *Context, open func(*OpenContext) error, close func() error) error {
	o.ctx = ctx
	o.unkeyed = state.NewOperatorStates(ctx.Subtask, ctx.Parallelism)
	if err := o.unkeyed.Restore(ctx.Restore, ctx.UID); err != nil {
		return err
	}
	if o.keyed != nil {
		if err := o.keyed.Restore(ctx.Restore, ctx.UID); err != nil {
			return err
		}
	}
	o.close = close
	if open != nil {
		if err := open(&OpenContext{Context: ctx, op: o}); err != nil {
			return err
		}
	}
	return o.declared()
}

// declared returns what was wrong with declarations, and warns of state that is not declared any more.
func (o *opened) declared() error {
	if o.keyless {
		return fmt.Errorf("operator %q declares keyed state and has no key: key its input first", o.ctx.UID)
	}
	err, lost := o.unkeyed.Err(), o.unkeyed.Undeclared()
	if o.keyed != nil {
		err, lost = errors.Join(err, o.keyed.Err()), append(lost, o.keyed.Undeclared()...)
	}
	if len(lost) > 0 && o.ctx.Log != nil {
		o.ctx.Log.Warn("the snapshot has state that is not declared any more: it will be gone with the next checkpoint",
			"operator", o.ctx.UID, "states", lost)
	}
	return err
}

// Snapshot implements Operator.
func (o *opened) Snapshot(s *state.Snapshot, _ flow.Barrier) error {
	if o.keyed != nil {
		o.keyed.Snapshot(s, o.ctx.UID)
	}
	return o.unkeyed.Snapshot(s, o.ctx.UID)
}

// Close implements Operator.
func (o *opened) Close() error {
	if o.close == nil {
		return nil
	}
	return o.close()
}
