package files

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/weirstream/weir/connectors"
	"github.com/weirstream/weir/flow"
)

// writeBuffer is how many bytes are gathered before they are written to the file.
const writeBuffer = 64 << 10

// writer writes one part after the other. The open one, if any, has the highest number (I2).
type writer[T any] struct {
	ctx     connectors.WriterContext
	options sinkOptions
	header  []byte
	encode  func(buf []byte, v *T) ([]byte, error)

	next     part     // the part to be opened next
	f        *os.File // of the open part; nil for none
	open     part
	size     int64 // bytes in f
	buf      []byte
	created  flow.Time
	unsynced bool // names in the directory may not be durable

	rolled []committable // finished since the last Prepare
	old    []oldPart
}

// oldPart is a part of an earlier attempt whose bytes were taken over.
type oldPart struct {
	part
	prepares int // since the restore
}

func (w *writer[T]) Write(v *T, _ flow.Time) (err error) {
	if w.f == nil {
		if err := w.start(); err != nil {
			return err
		}
		w.created = w.ctx.Clock.Now()
		w.buf = append(w.buf, w.header...)
	}
	if w.buf, err = w.encode(w.buf, v); err != nil {
		return fmt.Errorf("files: a record cannot be written to %s: %w", w.open.final(), err)
	}
	if len(w.buf) >= writeBuffer {
		if err := w.write(); err != nil {
			return err
		}
	}
	if w.size+int64(len(w.buf)) >= w.options.rollSize {
		return w.roll()
	}
	return nil
}

// Flush does nothing: what was written cannot be seen before it is committed.
func (w *writer[T]) Flush() error { return nil }

func (w *writer[T]) Prepare(_ flow.CheckpointID, last bool) ([][]byte, error) {
	if w.f != nil {
		age := w.ctx.Clock.Now() - w.created
		done := w.roll
		if !last && !w.options.rollOnCheckpoint && age < flow.Duration(w.options.rollAge) {
			done = w.sync
		}
		if err := done(); err != nil {
			return nil, err
		}
	}
	if w.unsynced {
		if err := syncDir(w.next.dir); err != nil {
			return nil, fmt.Errorf("files: %w", err)
		}
		w.unsynced = false
	}
	var out [][]byte
	for _, c := range w.rolled {
		out = append(out, c.encode())
	}
	w.rolled = nil
	// An old part is discarded by the second checkpoint that does without it: should that one be lost, the first still
	// stands. After the last one none is needed.
	w.old = slices.DeleteFunc(w.old, func(o oldPart) bool {
		if o.prepares == 0 && !last {
			return false
		}
		out = append(out, committable{action: discard, part: o.part}.encode())
		return true
	})
	for i := range w.old {
		w.old[i].prepares++
	}
	return out, nil
}

// Snapshot returns one state, also when no part is open: it says which parts came after the checkpoint (I5).
func (w *writer[T]) Snapshot() ([][]byte, error) {
	s := writerState{part: w.next, parallelism: w.ctx.Parallelism}
	if w.f != nil {
		s.part, s.open, s.size, s.created, s.header = w.open, true, w.size, w.created, string(w.header)
	}
	for _, o := range w.old {
		s.old = append(s.old, o.part)
	}
	return [][]byte{s.encode()}, nil
}

// Close leaves the open part where it is: a restore reads it.
func (w *writer[T]) Close() error {
	if w.f == nil {
		return nil
	}
	f := w.f
	w.f = nil
	return w.failed(w.open, f.Close())
}

// start makes the next part's file, which is ours alone (I4).
func (w *writer[T]) start() error {
	f, err := os.OpenFile(w.next.temp(), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("files: %s is there already: two writers have the same run, step, subtask and attempt, or it was copied here; if no job uses it, remove it", w.next.temp())
	}
	if err != nil {
		return w.failed(w.next, err)
	}
	w.f, w.open, w.size, w.unsynced = f, w.next, 0, true
	w.next.n++
	return nil
}

func (w *writer[T]) write() error {
	if len(w.buf) == 0 {
		return nil
	}
	n, err := w.f.Write(w.buf)
	w.size += int64(n)
	w.buf = w.buf[:0]
	return w.failed(w.open, err)
}

func (w *writer[T]) sync() error {
	if err := w.write(); err != nil {
		return err
	}
	return w.failed(w.open, w.f.Sync())
}

// roll finishes the open part.
func (w *writer[T]) roll() error {
	if err := w.sync(); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	w.rolled = append(w.rolled, committable{action: publish, part: w.open, size: w.size})
	return nil
}

// failed says what went wrong with a part, and what to do.
func (w *writer[T]) failed(p part, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("files: no space is left for %s: free some, or write elsewhere: %w", p.temp(), err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("files: %s may not be written: give the process the right to write in %s: %w", p.temp(), p.dir, err)
	}
	return fmt.Errorf("files: writing %s: %w", p.temp(), err)
}

// restore takes over what the states have, and then cleans up what no checkpoint knows of.
func (w *writer[T]) restore(states [][]byte) error {
	decoded := make([]writerState, len(states))
	for i, b := range states {
		s, err := decodeWriterState(b)
		if err != nil {
			return fmt.Errorf("files: the state of a writer of %s: %w", w.next.dir, err)
		}
		decoded[i] = s
	}
	alike := true
	for _, s := range decoded {
		for _, p := range s.old {
			w.old = append(w.old, oldPart{part: p})
		}
		if !s.open {
			continue
		}
		if w.f != nil { // only the last one stays open
			if err := w.roll(); err != nil {
				return err
			}
		}
		if err := w.takeOver(s); err != nil {
			return err
		}
		alike = s.part.ext == w.next.ext && s.header == string(w.header)
	}
	if w.f != nil && !alike { // its columns are not those of today
		if err := w.roll(); err != nil {
			return err
		}
	}
	return w.clean(decoded)
}

// takeOver copies the durable bytes of another writer's open part into a new part of our own (I4).
func (w *writer[T]) takeOver(s writerState) error {
	from := s.part.temp()
	in, err := os.Open(from)
	if errors.Is(err, fs.ErrNotExist) {
		if info, err := os.Stat(s.part.final()); err == nil && info.Size() >= s.size {
			// The checkpoint is not the newest: a later one has made these bytes visible already.
			w.ctx.Log.Warn("a part of the checkpoint is visible already, and what comes after the checkpoint will be written again", "part", s.part.final())
			return nil
		}
		return fmt.Errorf("files: %s is gone, and with it %d bytes of output that the checkpoint counts on; put it back, or start from another checkpoint", from, s.size)
	}
	if err != nil {
		return fmt.Errorf("files: %w", err)
	}
	defer in.Close()
	ext := w.next.ext
	w.next.ext = s.part.ext
	err = w.start()
	w.next.ext = ext
	if err != nil {
		return err
	}
	w.created = s.created
	w.size, err = io.CopyN(w.f, in, s.size)
	if err == io.EOF {
		return fmt.Errorf("files: %s has %d bytes, but the checkpoint counts on %d; it was damaged, start from another checkpoint", from, w.size, s.size)
	}
	if err != nil {
		return w.failed(w.open, err)
	}
	if s.part.owner == w.next.owner { // another run's files are not ours to discard
		w.old = append(w.old, oldPart{part: s.part})
	}
	return nil
}

// clean removes the parts that dead attempts of this run and step left behind, as far as it is certain that no checkpoint
// and no committable knows of them (I5, I6).
func (w *writer[T]) clean(states []writerState) error {
	if !w.ctx.Fresh && len(states) == 0 {
		return nil
	}
	entries, err := os.ReadDir(w.next.dir)
	if err != nil {
		return fmt.Errorf("files: %w", err)
	}
	for _, entry := range entries {
		p, ok := parseTemp(w.next.dir, entry.Name())
		if !ok || p.owner != w.next.owner || p.attempt >= w.ctx.Attempt || !w.orphan(p, states) {
			continue
		}
		if err := os.Remove(p.temp()); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return w.failed(p, err)
		}
		w.ctx.Log.Debug("removed a part that a dead attempt left behind", "part", filepath.Base(p.temp()))
	}
	return nil
}

// orphan reports whether p, of an earlier attempt, is certain not to be needed.
func (w *writer[T]) orphan(p part, states []writerState) bool {
	if w.ctx.Fresh {
		return p.subtask%w.ctx.Parallelism == w.ctx.Subtask
	}
	for _, s := range states {
		switch {
		case s.part.owner != p.owner:
			if s.part.subtask == 0 {
				return true // the checkpoint is of a run that was before this one
			}
		case p.attempt < s.part.attempt:
		case p.subtask == s.part.subtask:
			if p.attempt > s.part.attempt || p.n > s.part.n || p.n == s.part.n && !s.open {
				return true
			}
		case s.part.subtask == 0 && p.subtask >= s.parallelism && p.attempt > s.part.attempt:
			return true // a subtask that was there only after the checkpoint
		}
	}
	return false
}
