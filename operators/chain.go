package operators

import (
	"errors"
	"fmt"

	"github.com/weirstream/weir/flow"
	"github.com/weirstream/weir/state"
)

// Step describes one operator of a chain.
type Step struct {
	UID, Name string
	New       func() Operator
	// Inputs say which output of which earlier step feeds which input. The head has none: its inputs are the subtask's.
	Inputs []Link
	// Exits are the outputs that leave the subtask.
	Exits []Exit
}

// Link joins output Output of step From to input Input of the step that has it.
type Link struct{ From, Output, Input int }

// Exit sends an output to the channels of one edge of the job graph.
type Exit struct {
	Output int
	Edge   int // index of the edge among the subtask's output edges
	Spec   PartitionSpec
}

// Chain is the operators of one subtask: a tree, wired once, whose head takes what comes in. Steps are in topological
// order.
type Chain struct {
	ops    []Operator
	steps  []Step
	ins    [][]InputPort
	outs   [][]OutputPort
	tails  []Partition
	opened int // how many of the last operators were opened
	// starts is the first step that watermarks coming in reach: 0, or 1 behind a head that owns its watermarks.
	starts int
}

// NewChain makes the operators and wires them. ships has a Shipper for each output edge of the subtask.
func NewChain(steps []Step, ships []Shipper) (*Chain, error) {
	c := &Chain{steps: steps}
	for _, s := range steps {
		op := s.New()
		in, out := op.Ports()
		c.ops, c.ins, c.outs = append(c.ops, op), append(c.ins, in), append(c.outs, out)
	}
	for i, s := range steps {
		for _, l := range s.Inputs {
			if l.From >= i || l.Output >= len(c.outs[l.From]) || l.Input >= len(c.ins[i]) {
				return nil, fmt.Errorf("%s: no such link: output %d of %s to input %d", s.Name, l.Output, steps[l.From].Name, l.Input)
			}
			if err := c.outs[l.From][l.Output].Attach(c.ins[i][l.Input]); err != nil {
				return nil, fmt.Errorf("%s → %s: %w", steps[l.From].Name, s.Name, err)
			}
		}
		for _, x := range s.Exits {
			p, err := c.outs[i][x.Output].Partition(x.Spec, ships[x.Edge])
			if err != nil {
				return nil, fmt.Errorf("%s: %w", s.Name, err)
			}
			c.tails = append(c.tails, p)
		}
	}
	if _, ok := c.ops[0].(WatermarkOwner); ok {
		c.starts = 1
	}
	return c, nil
}

// Open opens the operators, the last first: each finds all that is downstream of it ready.
func (c *Chain) Open(context func(s Step) *Context) error {
	for i := len(c.ops) - 1; i >= 0; i-- {
		c.opened++
		if err := c.ops[i].Open(context(c.steps[i])); err != nil {
			return fmt.Errorf("%s: %w", c.steps[i].Name, err)
		}
	}
	return nil
}

// Inputs are the head's.
func (c *Chain) Inputs() []InputPort { return c.ins[0] }

// Head is the first operator.
func (c *Chain) Head() Operator { return c.ops[0] }

// HeadWatermark offers a watermark to the head alone. Once it is done, Pass hands the watermark to the rest.
func (c *Chain) HeadWatermark(w flow.Watermark) (done bool) { return c.ops[0].Watermark(w) }

// Pass hands a watermark to all behind the head, and to the channels.
func (c *Chain) Pass(w flow.Watermark) {
	for _, op := range c.ops[1:] {
		for !op.Watermark(w) { // only the head's firings can be spread over turns
		}
	}
	for _, t := range c.tails {
		t.Watermark(w)
	}
}

// Owned reports whether the head makes the watermarks of this chain.
func (c *Chain) Owned() bool { return c.starts == 1 }

// ProcessingTime tells every operator what time it is.
func (c *Chain) ProcessingTime(now flow.Time) (done bool) {
	done = true
	for _, op := range c.ops {
		done = op.ProcessingTime(now) && done
	}
	return done
}

// FinishStep calls Finish of step i.
func (c *Chain) FinishStep(i int) (done bool) { return c.ops[i].Finish() }

// Len is the number of operators.
func (c *Chain) Len() int { return len(c.ops) }

// Flush ships what is open in the tails.
func (c *Chain) Flush() {
	for _, t := range c.tails {
		t.Flush()
	}
}

// FlushWriters lets operators that hold something back for writing let it go.
func (c *Chain) FlushWriters() {
	for _, op := range c.ops {
		if f, ok := op.(Flusher); ok {
			f.Flush()
		}
	}
}

// Flusher is implemented by operators that want to know when the subtask has nothing to do.
type Flusher interface{ Flush() }

// Broadcast ships e on every channel, behind all that came before.
func (c *Chain) Broadcast(e flow.Element) {
	for _, t := range c.tails {
		t.Broadcast(e)
	}
}

// Snapshot adds the state of every operator to s.
func (c *Chain) Snapshot(s *state.Snapshot, b flow.Barrier) error {
	for i, op := range c.ops {
		if err := op.Snapshot(s, b); err != nil {
			return fmt.Errorf("%s: %w", c.steps[i].Name, err)
		}
	}
	return nil
}

// CheckpointCompleted tells all operators that listen.
func (c *Chain) CheckpointCompleted(id flow.CheckpointID) {
	for _, op := range c.ops {
		if l, ok := op.(CheckpointListener); ok {
			l.CheckpointCompleted(id)
		}
	}
}

// Committed reports whether no operator has anything under way.
func (c *Chain) Committed() bool {
	for _, op := range c.ops {
		if w, ok := op.(Committing); ok && !w.Committed() {
			return false
		}
	}
	return true
}

// Retry lets operators go on with commits after their input has ended.
func (c *Chain) Retry(now flow.Time) {
	for _, op := range c.ops {
		if w, ok := op.(Committing); ok {
			w.Retry(now)
		}
	}
}

// RecordsOut is the number of records sent to channels.
func (c *Chain) RecordsOut() (n int64) {
	for _, t := range c.tails {
		n += t.Records()
	}
	return n
}

// Close closes the operators that were opened, the first first.
func (c *Chain) Close() error {
	var errs []error
	for i := len(c.ops) - c.opened; i < len(c.ops); i++ {
		if err := c.ops[i].Close(); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", c.steps[i].Name, err))
		}
	}
	c.opened = 0
	return errors.Join(errs...)
}
