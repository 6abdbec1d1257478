package connectortest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"

	"github.com/weirstream/weir/connectors"
	"github.com/weirstream/weir/flow"
	"github.com/weirstream/weir/timeservice"
)

// SinkCase is a sink to be verified.
type SinkCase[T comparable] struct {
	// New makes the sink over an empty output, and a function that reads what is visible there, in any order. It is called
	// for every run of the script.
	New func(t testing.TB) (sink connectors.Sink[T], visible func() []T)
	// Records are written one after the other; they must differ from each other.
	Records []T
	// Every is after how many records a checkpoint is taken; 3 for 0.
	Every int
	// Interval is how much time passes with every record; 1 ms for 0.
	Interval flow.Time
	// All runs every combination of a first and a second crash and of zombies; otherwise they take turns, a quarter each.
	All bool
	// AtEnd is called after every run; nil for nothing. zombies says that writers of dead attempts went on for a while and
	// may have left something behind.
	AtEnd func(t testing.TB, how string, zombies bool)
}

// crash is a point at which the job fails.
type crash uint8

const (
	never         crash = iota
	afterWrite          // of some records, after a checkpoint
	amidPrepare         // some subtasks prepared
	afterPrepare        // all did
	afterSnapshot       // and gave their state, but the checkpoint is not complete
	afterComplete       // it is, but nothing was committed
	amidCommit          // the first half was
	afterCommit         // all was, but nobody knows
	crashes
)

func (c crash) String() string {
	return [...]string{"never", "after write", "amid prepare", "after prepare", "after snapshot", "after complete", "amid commit", "after commit"}[c]
}

// VerifySink writes records through a sink with checkpoints between them. It lets the job fail at every step of every
// checkpoint, once and then again in the next attempt, goes on from the last complete checkpoint at the same, a lower and
// a higher parallelism, while the writers of the dead attempt go on for a while, and fails t if at the end not every
// record is visible exactly once, or if at any time one is visible that no complete checkpoint has.
func VerifySink[T comparable](t testing.TB, c SinkCase[T]) {
	t.Helper()
	if c.Every == 0 {
		c.Every = 3
	}
	if c.Interval == 0 {
		c.Interval = 1
	}
	checkpoints := (len(c.Records) + c.Every - 1) / c.Every
	variant := 0
	for _, scale := range [][]int{{2, 2, 2}, {3, 1, 2}, {1, 3, 2}} {
		c.run(t, scale, 0, never, never, false)
		for at := range checkpoints {
			for first := afterWrite; first < crashes; first++ {
				all := []struct {
					second  crash
					zombies bool
				}{{first, true}, {never, false}, {afterPrepare, false}, {never, true}}
				if !c.All { // each of them in turn
					variant++
					all = all[variant%len(all):][:1]
				}
				for _, v := range all {
					c.run(t, scale, at, first, v.second, v.zombies)
				}
			}
		}
	}
}

// run runs the script once. At checkpoint number at (from 0) of the first attempt it fails at first; the second attempt
// fails at second, at its first checkpoint.
func (c SinkCase[T]) run(t testing.TB, scale []int, at int, first, second crash, zombies bool) {
	t.Helper()
	how := fmt.Sprintf("parallelism %v, crash %v of checkpoint %d, then %v, zombies %v", scale, first, at+1, second, zombies)
	sink, visible := c.New(t)
	if err := sink.Check(); err != nil {
		t.Fatalf("%s: %v", how, err)
	}
	j := &job[T]{SinkCase: c, sink: sink, visible: visible, clock: timeservice.NewManual(1_000_000), next: 1, zombies: zombies}
	for attempt, p := range scale {
		point, when := never, -1
		switch attempt {
		case 0:
			point, when = first, at
		case 1:
			point, when = second, 0
		}
		done, err := j.attempt(flow.Attempt(attempt+1), p, point, when)
		if err != nil {
			t.Fatalf("%s: attempt %d: %v", how, attempt+1, err)
		}
		if done {
			break
		}
	}
	j.exorcise()
	if err := j.verify(true); err != nil {
		t.Fatalf("%s: at the end: %v", how, err)
	}
	if c.AtEnd != nil {
		c.AtEnd(t, how, zombies)
	}
}

// job is the engine's part: checkpoints and what they hold.
type job[T comparable] struct {
	SinkCase[T]
	sink    connectors.Sink[T]
	visible func() []T
	clock   *timeservice.Manual
	next    flow.CheckpointID
	zombies bool

	writers []connectors.Writer[T] // of the running attempt
	dead    []connectors.Writer[T]
	pending [][][]byte // committables by subtask, not committed as far as the job knows

	complete *checkpoint // the newest
	position int         // records before it, for the running attempt: written so far
}

type checkpoint struct {
	states   [][]byte
	pending  [][][]byte // by subtask
	position int
}

// attempt goes on from the last complete checkpoint and reports whether it came to the end.
func (j *job[T]) attempt(n flow.Attempt, parallelism int, point crash, when int) (done bool, err error) {
	committers, err := j.restore(n, parallelism)
	if err != nil {
		return false, fmt.Errorf("restore: %w", err)
	}
	j.haunt()
	defer func() {
		for _, k := range committers {
			if k != nil {
				err = errors.Join(err, k.Close())
			}
		}
		j.dead, j.writers = append(j.dead, j.writers...), nil
		j.haunt()
	}()
	for k := 0; ; k++ {
		here := never
		if k == when {
			here = point
		}
		for range j.Every {
			if j.position == len(j.Records) {
				break
			}
			if err := j.write(j.Records[j.position]); err != nil {
				return false, err
			}
			j.position++
		}
		if here == afterWrite {
			return false, nil
		}
		last := j.position == len(j.Records)
		crashed, err := j.checkpoint(committers, here, last)
		if err != nil || crashed {
			return false, err
		}
		if last {
			return true, nil
		}
	}
}

func (j *job[T]) write(v T) error {
	j.clock.Set(j.clock.Now() + j.Interval)
	w := j.writers[j.position%len(j.writers)]
	if err := w.Write(&v, j.clock.Now()); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	if j.position%2 == 0 {
		return w.Flush()
	}
	return nil
}

// restore makes writers and committers, and commits what the checkpoint has.
func (j *job[T]) restore(n flow.Attempt, parallelism int) (committers []connectors.Committer, err error) {
	c := j.complete
	if c == nil {
		c = &checkpoint{}
	}
	j.position = c.position
	states, pending := make([][][]byte, parallelism), make([][][]byte, parallelism)
	for i, s := range c.states {
		states[i%parallelism] = append(states[i%parallelism], s)
	}
	for i, p := range c.pending {
		pending[i%parallelism] = append(pending[i%parallelism], p...)
	}
	j.pending = pending
	for i := range parallelism {
		ctx := connectors.WriterContext{
			Job: "job", UID: "sink", Name: "sink", Subtask: i, Parallelism: parallelism, Attempt: n, Run: "run-1", Fresh: j.complete == nil,
			Clock: j.clock, Log: slog.New(slog.DiscardHandler),
		}
		k, err := j.sink.Committer(ctx)
		if err != nil {
			return committers, err
		}
		committers = append(committers, k)
		w, err := j.sink.Writer(ctx, states[i])
		if err != nil {
			return committers, err
		}
		j.writers = append(j.writers, w)
	}
	return committers, j.commit(committers)
}

// checkpoint goes through the steps of one checkpoint up to the crash, if there is one.
func (j *job[T]) checkpoint(committers []connectors.Committer, point crash, last bool) (crashed bool, err error) {
	id := j.next
	j.next++
	c := &checkpoint{position: j.position}
	for i, w := range j.writers {
		out, err := w.Prepare(id, last)
		if err != nil {
			return false, fmt.Errorf("prepare: %w", err)
		}
		j.pending[i] = append(j.pending[i], out...)
		if point == amidPrepare {
			return true, nil
		}
	}
	if point == afterPrepare {
		return true, nil
	}
	for _, w := range j.writers {
		states, err := w.Snapshot()
		if err != nil {
			return false, fmt.Errorf("snapshot: %w", err)
		}
		c.states = append(c.states, states...)
	}
	if err := j.verify(false); err != nil || point == afterSnapshot {
		return true, err
	}
	for _, p := range j.pending {
		c.pending = append(c.pending, slices.Clone(p))
	}
	j.complete = c
	switch point {
	case afterComplete:
		return true, nil
	case amidCommit:
		for i, k := range committers {
			if half := j.pending[i][:(len(j.pending[i])+1)/2]; k != nil && len(half) > 0 {
				if err := k.Commit(context.Background(), half); err != nil {
					return true, fmt.Errorf("commit: %w", err)
				}
			}
		}
		return true, nil
	}
	return point == afterCommit, j.commit(committers)
}

// commit commits all that is pending, twice, as after an answer that was lost.
func (j *job[T]) commit(committers []connectors.Committer) error {
	for range 2 {
		for i, k := range committers {
			if len(j.pending[i]) == 0 {
				continue
			}
			if k == nil {
				return errors.New("there are committables, and no committer")
			}
			if err := k.Commit(context.Background(), j.pending[i]); err != nil {
				return fmt.Errorf("commit: %w", err)
			}
		}
	}
	for i := range j.pending {
		j.pending[i] = nil
	}
	return j.verify(false)
}

// haunt lets the writers of dead attempts go on; what they do must not matter, and whether it works neither.
func (j *job[T]) haunt() {
	if !j.zombies {
		return
	}
	for i, w := range j.dead {
		v := j.Records[i%len(j.Records)]
		if w.Write(&v, 0) == nil && i%2 == 0 {
			_, _ = w.Prepare(j.next, false)
			_, _ = w.Snapshot()
		}
	}
}

func (j *job[T]) exorcise() {
	for _, w := range j.dead {
		_ = w.Close()
	}
}

// verify compares what is visible with the records before the last complete checkpoint: nothing else, nothing twice, and
// at the end all.
func (j *job[T]) verify(end bool) error {
	may, seen := map[T]bool{}, map[T]int{}
	if j.complete != nil {
		for _, v := range j.Records[:j.complete.position] {
			may[v] = true
		}
	}
	for _, v := range j.visible() {
		if seen[v]++; seen[v] > 1 {
			return fmt.Errorf("%+v is visible twice", v)
		}
		if !may[v] {
			return fmt.Errorf("%+v is visible, and no complete checkpoint has it", v)
		}
	}
	if end && len(seen) != len(j.Records) {
		for _, v := range j.Records {
			if seen[v] == 0 {
				return fmt.Errorf("%d of %d records are visible; the first missing is %+v", len(seen), len(j.Records), v)
			}
		}
	}
	return nil
}
