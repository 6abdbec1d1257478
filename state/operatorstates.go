package state

import (
	"errors"
	"fmt"
	"slices"
)

// OperatorStates keeps the state that user functions declare beside keys: lists that belong to the subtask, and
// broadcast maps. It belongs to the subtask's goroutine. Snapshots encode all of it at once, so it should be small.
type OperatorStates struct {
	subtask, parallelism int
	states               []unkeyed
	errs                 []error
	restore              *Restore // what to read for states that are declared from now on
	operator             string
}

// OperatorRegistry is what these states are declared at: the context that an operator's Open gives to user functions.
type OperatorRegistry interface{ OperatorStates() *OperatorStates }

// unkeyed is one state of an OperatorStates.
type unkeyed interface {
	name() string
	kind() Kind
	format() string
	append(buf []byte) ([]byte, error)
	// load takes the bodies of all sections that were restored, in order.
	load(bodies [][]byte, subtask, parallelism int) error
}

// operatorPrefix keeps the names that users choose apart from those of the operators' own sections.
const operatorPrefix = "operator/"

// NewOperatorStates makes an empty OperatorStates for one of parallelism subtasks.
func NewOperatorStates(subtask, parallelism int) *OperatorStates {
	return &OperatorStates{subtask: subtask, parallelism: parallelism}
}

// Err returns what was wrong with declarations. The operator returns it from its Open.
func (o *OperatorStates) Err() error { return errors.Join(o.errs...) }

// Undeclared lists the names that are in what was given to Restore but have not been declared, ascending.
func (o *OperatorStates) Undeclared() []string {
	return undeclared(o.restore, o.operator, operatorPrefix, func(name string) bool { return o.find(name) != nil })
}

func (o *OperatorStates) find(name string) unkeyed {
	for _, st := range o.states {
		if st.name() == name {
			return st
		}
	}
	return nil
}

func (o *OperatorStates) declare(st unkeyed, errs ...error) {
	err := errors.Join(errs...)
	if err == nil && o.find(st.name()) != nil {
		err = errTwiceDeclared
	}
	if err != nil {
		o.errs = append(o.errs, fmt.Errorf("state %q: %w", st.name(), err))
		return
	}
	o.states = append(o.states, st)
	if err := o.load(st); err != nil {
		o.errs = append(o.errs, err)
	}
}

// Restore reads operator's part of r, which may be nil, into the states that are declared, and remembers r for those
// that will be.
func (o *OperatorStates) Restore(r *Restore, operator string) error {
	o.restore, o.operator = r, operator
	for _, st := range o.states {
		if err := o.load(st); err != nil {
			return err
		}
	}
	return nil
}

func (o *OperatorStates) load(st unkeyed) error {
	var bodies [][]byte
	err := o.restore.All(o.operator, operatorPrefix+st.name(), st.format(), func(body []byte) error {
		bodies = append(bodies, body)
		return nil
	})
	if err != nil || len(bodies) == 0 {
		return err
	}
	if err := st.load(bodies, o.subtask, o.parallelism); err != nil {
		return fmt.Errorf("state %q of operator %q: %w", st.name(), o.operator, err)
	}
	return nil
}

// Snapshot adds all states as they are now, as sections of operator.
func (o *OperatorStates) Snapshot(s *Snapshot, operator string) error {
	for _, st := range o.states {
		sec := Section{Operator: operator, Name: operatorPrefix + st.name(), Kind: st.kind(), Format: st.format()}
		body, err := st.append(nil)
		if err != nil {
			return fmt.Errorf("%v: %w", sec, err)
		}
		s.AddBytes(sec, slices.Clip(body))
	}
	return nil
}
