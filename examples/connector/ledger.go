package connector

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"

	"github.com/weirstream/weir/connectors"
	"github.com/weirstream/weir/flow"
)

// Bank stands for a store outside of the job that knows transactions by name: entries are staged under one, which nobody
// sees, and booked by it, once, however often that is asked for. Many goroutines may use it.
type Bank struct {
	// mu guards all below.
	mu     sync.Mutex
	staged map[string][]int64
	booked map[string]bool
	total  []int64
}

// NewBank makes an empty Bank.
func NewBank() *Bank { return &Bank{staged: map[string][]int64{}, booked: map[string]bool{}} }

// Stage keeps entries under the name of a transaction, in place of what was staged under it before.
func (b *Bank) Stage(transaction string, entries []int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.staged[transaction] = slices.Clone(entries)
}

// Book makes what was staged visible.
func (b *Bank) Book(transaction string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.booked[transaction] {
		return nil
	}
	entries, ok := b.staged[transaction]
	if !ok {
		return fmt.Errorf("bank: nothing was staged as %s", transaction)
	}
	delete(b.staged, transaction)
	b.booked[transaction] = true
	b.total = append(b.total, entries...)
	return nil
}

// Entries returns what was booked.
func (b *Bank) Entries() []int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.total)
}

// Ledger is a sink that enters numbers into a Bank exactly once. A transaction has at least Least entries, so it may stay
// open over several checkpoints; what is open then travels in the checkpoint.
type Ledger struct {
	Bank  *Bank
	Least int
}

var _ connectors.Sink[int64] = Ledger{}

func (l Ledger) Check() error {
	if l.Bank == nil {
		return fmt.Errorf("ledger: there is no Bank to write to; make one with NewBank")
	}
	return nil
}

// Writer makes a subtask's writer. After a rescale it may be given the states of several writers, or none.
func (l Ledger) Writer(ctx connectors.WriterContext, states [][]byte) (connectors.Writer[int64], error) {
	w := &ledgerWriter{ledger: l, ctx: ctx}
	for _, state := range states {
		var open []int64
		if err := json.Unmarshal(state, &open); err != nil {
			return nil, fmt.Errorf("ledger: the state of a writer: %w", err)
		}
		w.open = append(w.open, open...)
	}
	return w, nil
}

func (l Ledger) Committer(connectors.WriterContext) (connectors.Committer, error) {
	return ledgerCommitter{l.Bank}, nil
}

type ledgerWriter struct {
	ledger Ledger
	ctx    connectors.WriterContext
	open   []int64
}

func (w *ledgerWriter) Write(v *int64, _ flow.Time) error {
	w.open = append(w.open, *v)
	return nil
}

func (w *ledgerWriter) Flush() error { return nil }

// Prepare stages what is to be booked when checkpoint id is complete. The transaction's name is this writer's alone: an
// attempt that died may have prepared the same checkpoint with other entries.
func (w *ledgerWriter) Prepare(id flow.CheckpointID, last bool) ([][]byte, error) {
	if len(w.open) == 0 || len(w.open) < w.ledger.Least && !last {
		return nil, nil
	}
	transaction := fmt.Sprintf("%s/%s/%d/%d/%d", w.ctx.Run, w.ctx.UID, w.ctx.Subtask, w.ctx.Attempt, id)
	w.ledger.Bank.Stage(transaction, w.open)
	w.open = w.open[:0]
	return [][]byte{[]byte(transaction)}, nil
}

// Snapshot returns what was not prepared.
func (w *ledgerWriter) Snapshot() ([][]byte, error) {
	state, err := json.Marshal(w.open)
	return [][]byte{state}, err
}

func (w *ledgerWriter) Close() error { return nil }

type ledgerCommitter struct{ bank *Bank }

// Commit may be called again with what was committed before; Book does not mind.
func (c ledgerCommitter) Commit(ctx context.Context, transactions [][]byte) error {
	for _, t := range transactions {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := c.bank.Book(string(t)); err != nil {
			return fmt.Errorf("ledger: %w", err)
		}
	}
	return nil
}

func (c ledgerCommitter) Close() error { return nil }
