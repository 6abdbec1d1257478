package connectors

import (
	"context"
	"fmt"
)

// Fixed makes the enumerator of a source whose splits are all known beforehand: the first Discover returns them and says
// that there are no more. A restored one that had returned them returns none.
func Fixed(a Assignment, splits []Split) Enumerator { return &fixed{assignment: a, splits: splits} }

type fixed struct {
	assignment Assignment
	splits     []Split
	given      bool
}

func (f *fixed) Assignment() Assignment { return f.assignment }

func (f *fixed) Discover(context.Context) ([]Split, bool, error) {
	if f.given {
		return nil, true, nil
	}
	f.given = true
	return f.splits, true, nil
}

func (f *fixed) Snapshot() ([]byte, error) {
	if f.given {
		return []byte{1}, nil
	}
	return []byte{0}, nil
}

func (f *fixed) Restore(state []byte) error {
	if len(state) != 1 || state[0] > 1 {
		return fmt.Errorf("connectors: the state of the split enumerator is % x, want 00 or 01: the checkpoint is of another source", state)
	}
	f.given = state[0] == 1
	return nil
}

func (f *fixed) Close() error { return nil }
