package operators

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/weirstream/weir/connectors"
	"github.com/weirstream/weir/flow"
	"github.com/weirstream/weir/state"
)

// Limits of committing: how often a commit is tried before the job fails, and the pause between two tries, in
// milliseconds, which doubles up to the maximum.
const (
	maxCommitTries = 12
	firstRetry     = flow.Time(50)
	maxRetry       = flow.Time(5000)
)

// The sink's sections.
const (
	sinkWriters = "sink.writers"
	sinkPending = "sink.pending"
	sinkFormat  = "bytes"
)

// Sink writes records and commits them in step with the checkpoints: what was written before a barrier is prepared at the
// barrier, kept in the checkpoint, and committed when that is complete. After a restore what the checkpoint kept is
// committed again.
type Sink[T any] struct {
	sink      connectors.Sink[T]
	in        Input[T]
	ctx       *Context
	writer    connectors.Writer[T]
	committer connectors.Committer
	pending   []prepared
	completed flow.CheckpointID
	busy      bool // a commit is under way
	tries     int
	retryAt   flow.Time
}

// prepared is what one checkpoint is to commit.
type prepared struct {
	id           flow.CheckpointID
	committables [][]byte
}

// NewSink returns a sink operator.
func NewSink[T any](sink connectors.Sink[T]) *Sink[T] { return &Sink[T]{sink: sink} }

func (s *Sink[T]) Ports() ([]InputPort, []OutputPort) { return []InputPort{&s.in}, nil }

func (s *Sink[T]) Open(ctx *Context) error {
	s.ctx, s.retryAt = ctx, flow.MaxTime
	wc := connectors.WriterContext{
		Job: ctx.Job, UID: ctx.UID, Name: ctx.Name, Subtask: ctx.Subtask, Parallelism: ctx.Parallelism,
		Attempt: ctx.Attempt, Run: ctx.Run, Fresh: ctx.Restore == nil, Clock: ctx.Clock, Log: ctx.Log,
	}
	states, err := s.restored(sinkWriters)
	if err != nil {
		return err
	}
	again, err := s.restored(sinkPending)
	if err != nil {
		return err
	}
	if s.committer, err = s.sink.Committer(wc); err != nil {
		return err
	}
	if s.writer, err = s.sink.Writer(wc, states); err != nil {
		return err
	}
	if len(again) > 0 {
		s.pending, s.completed = []prepared{{ctx.RestoredCheckpoint, again}}, ctx.RestoredCheckpoint
		s.commit()
	}
	writer := s.writer
	s.in.Record = func(v *T, t flow.Time) {
		if err := writer.Write(v, t); err != nil {
			ctx.Fail(fmt.Errorf("%s: %w", ctx.Name, err))
		}
	}
	return nil
}

// restored reads a list of byte strings, dealt out over the subtasks.
func (s *Sink[T]) restored(name string) (mine [][]byte, err error) {
	i := 0
	err = s.ctx.Restore.All(s.ctx.UID, name, sinkFormat, func(b []byte) error {
		for len(b) > 0 {
			n, k := binary.Uvarint(b)
			if k <= 0 || n > uint64(len(b)-k) {
				return state.ErrDamaged
			}
			if i%s.ctx.Parallelism == s.ctx.Subtask {
				mine = append(mine, b[k:k+int(n)])
			}
			b = b[k+int(n):]
			i++
		}
		return nil
	})
	return mine, err
}

func appendList(b []byte, items [][]byte) []byte {
	for _, x := range items {
		b = binary.AppendUvarint(b, uint64(len(x)))
		b = append(b, x...)
	}
	return b
}

func (s *Sink[T]) Watermark(flow.Watermark) bool { return true }

func (s *Sink[T]) Finish() bool { return true }

// Flush implements Flusher.
func (s *Sink[T]) Flush() {
	if err := s.writer.Flush(); err != nil {
		s.ctx.Fail(fmt.Errorf("%s: %w", s.ctx.Name, err))
	}
}

func (s *Sink[T]) Snapshot(snap *state.Snapshot, b flow.Barrier) error {
	c, err := s.writer.Prepare(b.Checkpoint, b.Kind != flow.Periodic)
	if err != nil {
		return err
	}
	if len(c) > 0 {
		s.pending = append(s.pending, prepared{b.Checkpoint, c})
	}
	states, err := s.writer.Snapshot()
	if err != nil {
		return err
	}
	var pending []byte
	for _, p := range s.pending {
		pending = appendList(pending, p.committables)
	}
	snap.AddBytes(s.ctx.Section(sinkWriters, state.Split, sinkFormat), appendList(nil, states))
	snap.AddBytes(s.ctx.Section(sinkPending, state.Split, sinkFormat), pending)
	return nil
}

func (s *Sink[T]) CheckpointCompleted(id flow.CheckpointID) {
	s.completed = max(s.completed, id)
	s.commit()
}

// Committed implements Committing.
func (s *Sink[T]) Committed() bool {
	return !s.busy && (len(s.pending) == 0 || s.pending[0].id > s.completed)
}

// Retry implements Committing.
func (s *Sink[T]) Retry(now flow.Time) {
	if now >= s.retryAt {
		s.retryAt = flow.MaxTime
		s.commit()
	}
}

func (s *Sink[T]) ProcessingTime(now flow.Time) bool {
	s.Retry(now)
	return true
}

// commit commits the oldest checkpoint that is complete, on another goroutine, and then the next.
func (s *Sink[T]) commit() {
	if s.busy || s.retryAt != flow.MaxTime || s.Committed() {
		return
	}
	p := s.pending[0]
	s.busy = true
	var err error
	s.ctx.Task.Go(func(stop <-chan struct{}) {
		if s.committer != nil {
			err = s.committer.Commit(stopContext{stop}, p.committables)
		}
	}, func() {
		s.busy = false
		if err != nil {
			s.failed(p, err)
			return
		}
		s.tries = 0
		s.pending = s.pending[1:]
		s.commit()
	})
}

func (s *Sink[T]) failed(p prepared, err error) {
	if s.tries++; s.tries >= maxCommitTries {
		s.ctx.Fail(fmt.Errorf("%s: commit of checkpoint %d failed %d times: %w", s.ctx.Name, p.id, s.tries, err))
	}
	pause := min(maxRetry, firstRetry<<(s.tries-1))
	s.ctx.Log.Warn("commit failed, will be tried again", "step", s.ctx.Name, "checkpoint", p.id, "try", s.tries, "error", err)
	s.retryAt = s.ctx.Clock.Now().Add(pause)
	s.ctx.Task.WakeAt(s.retryAt)
}

func (s *Sink[T]) Close() error {
	var errs []error
	if s.writer != nil {
		errs = append(errs, s.writer.Close())
	}
	if s.committer != nil {
		errs = append(errs, s.committer.Close())
	}
	return errors.Join(errs...)
}

// stopContext is a context.Context that ends when a subtask is closed.
type stopContext struct{ stop <-chan struct{} }

func (c stopContext) Deadline() (time.Time, bool) { return time.Time{}, false }
func (c stopContext) Done() <-chan struct{}       { return c.stop }
func (c stopContext) Value(any) any               { return nil }
func (c stopContext) Err() error {
	select {
	case <-c.stop:
		return context.Canceled
	default:
		return nil
	}
}
