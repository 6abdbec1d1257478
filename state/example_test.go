package state_test

import (
	"fmt"

	"github.com/weirstream/weir/codec"
	"github.com/weirstream/weir/flow"
	"github.com/weirstream/weir/state"
	"github.com/weirstream/weir/timeservice"
)

// A table counts words; a batch is looked up at once.
func ExampleNewTable() {
	key, err := codec.KeyFor[string]()
	if err != nil {
		panic(err)
	}
	counts := state.NewTable(key, codec.MustFor[int64]())
	words := []string{"to", "be", "or", "not", "to", "be"}
	hashes, values := make([]uint64, len(words)), make([]*int64, len(words))
	key.HashAll(words, hashes)
	counts.UpsertBatch(hashes, words, values)
	for _, v := range values {
		*v++
	}
	counts.Read(0, 100, func(_ uint64, word *string, n *int64) bool {
		fmt.Println(*word, *n)
		return true
	})
	// Output:
	// to 2
	// be 2
	// or 1
	// not 1
}

// operator is what a keyed operator gives to user functions: where to declare state, and the key at hand.
type operator struct {
	*state.KeyedBackend[string]
	key   codec.Key[string]
	scope state.Scope
	hand  string
}

func (o *operator) StateBackend() *state.Backend { return &o.Backend }
func (o *operator) StateScope() *state.Scope     { return &o.scope }

func (o *operator) record(k string) *operator {
	o.hand = k
	o.At(&o.scope, o.key.Hash(&o.hand), &o.hand)
	return o
}

// State is declared once and then means the key at hand.
func ExampleNewValue() {
	key, err := codec.KeyFor[string]()
	if err != nil {
		panic(err)
	}
	all := flow.KeyGroupRange{From: 0, To: 128}
	op := &operator{KeyedBackend: state.NewBackend(key, all, 128, timeservice.NewManual(0)), key: key}

	seen := state.NewValue[int64](op, "seen")
	for _, k := range []string{"ada", "bob", "ada"} {
		ctx := op.record(k)
		n := seen.Get(ctx) + 1
		seen.Set(ctx, n)
		fmt.Println(k, n)
	}
	// Output:
	// ada 1
	// bob 1
	// ada 2
}
