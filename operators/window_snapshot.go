package operators

import (
	"encoding/binary"
	"fmt"

	"github.com/weirstream/weir/codec"
	"github.com/weirstream/weir/flow"
	"github.com/weirstream/weir/state"
	"github.com/weirstream/weir/timeservice"
)

// Names of the sections of window operators. All are of kind Keyed.
//
// Every section of slices and panes begins with the watermark that its subtask had: what had fired, and must not fire again.
const (
	sectionSlices      = "window.slices"
	sectionPanes       = "window.panes"
	sectionEventTimers = "window.timers.event"
	sectionClockTimers = "window.timers.processing"
)

// Slices: watermark and start of the slice, 8 bytes each, and then the entries of its table. What runs over slices is made
// anew from them.
const sliceHeader = 16

func (p *sliceWindow[K, T, A, O]) format() string {
	g := p.grid
	return fmt.Sprintf("slices1(%d,%d,%d,%s)", g.size, g.slide, g.offset, state.EntriesFormat(p.spec.KeyType, p.spec.Aggregate.Codec))
}

// Snapshot implements Operator.
func (p *sliceWindow[K, T, A, O]) Snapshot(s *state.Snapshot, _ flow.Barrier) error {
	sec := p.ctx.Section(sectionSlices, state.Keyed, p.format())
	for _, sl := range p.live {
		head := binary.LittleEndian.AppendUint64(nil, uint64(p.watermark))
		head = binary.LittleEndian.AppendUint64(head, uint64(sl.Start))
		frozen := sl.table.Freeze(p.ctx.MaxParallelism)
		s.Add(func(w *state.SnapshotWriter) error { return writeGroups(w, sec, head, frozen) })
	}
	return nil
}

// writeGroups writes a section for each key group of a frozen table, head standing before the entries.
func writeGroups(w *state.SnapshotWriter, sec state.Section, head []byte, f *state.Frozen) error {
	defer f.Release()
	for _, g := range f.Groups() {
		buf, err := f.AppendGroup(append(w.Buffer(), head...), g)
		if err != nil {
			return fmt.Errorf("%v: %w", sec, err)
		}
		sec.KeyGroup = g
		if err := w.Write(sec, buf); err != nil {
			return err
		}
		w.Recycle(buf)
	}
	return nil
}

func (p *sliceWindow[K, T, A, O]) restore() error {
	return p.ctx.Restore.Keyed(p.ctx.UID, sectionSlices, p.format(), p.ctx.Groups, func(_ int, body []byte) error {
		if len(body) < sliceHeader {
			return fmt.Errorf("%w: %d bytes are too few for a slice", state.ErrDamaged, len(body))
		}
		p.watermark = max(p.watermark, flow.Time(binary.LittleEndian.Uint64(body)))
		start := flow.Time(binary.LittleEndian.Uint64(body[8:]))
		w := p.grid.slice(start)
		first, last, ok := p.grid.windowsOf(w)
		if w.Start != start || !ok {
			return fmt.Errorf("%w: a slice at %v, where none begins", state.ErrDamaged, start)
		}
		s := p.search(start)
		if s == nil {
			s = p.enlist(w, first, last)
		}
		return s.table.Load(body[sliceHeader:])
	})
}

// Panes: watermark, 8 bytes, and then for each pane key, window, flags, firings, the trigger's state, and the accumulator
// if it has one. Where a pane is in its key's list follows from its window.

func (p *paneWindow[K, T, A, O]) format() string {
	return "panes1(" + p.spec.KeyType.Codec.Fingerprint() + "," + p.spec.Aggregate.Codec.Fingerprint() + ")"
}

// timerCodec writes the timers of triggers.
func (p *paneWindow[K, T, A, O]) timerCodec() timeservice.TimerCodec[K, Window] {
	return timeservice.TimerCodec[K, Window]{Key: p.spec.KeyType.Codec, NS: windowCodec{}, Hash: p.spec.KeyType.Hash}
}

// Snapshot implements Operator. Accumulators that share memory with their copies are written now; all others later.
func (p *paneWindow[K, T, A, O]) Snapshot(s *state.Snapshot, _ flow.Barrier) error {
	sec := p.ctx.Section(sectionPanes, state.Keyed, p.format())
	groups, c := p.ctx.MaxParallelism, paneCodec[K, A]{key: p.spec.KeyType.Codec, acc: p.spec.Aggregate.Codec}
	head := binary.LittleEndian.AppendUint64(nil, uint64(p.watermark))
	if codec.Shareable[A]() {
		frozen := p.panes.freeze()
		s.Add(func(w *state.SnapshotWriter) error {
			return writePanes(frozen, groups, c, head, w.Buffer(), func(g int, body []byte) error {
				sec.KeyGroup = g
				return w.Write(sec, body)
			})
		})
	} else {
		err := writePanes(&p.panes, groups, c, head, nil, func(g int, body []byte) error {
			sec.KeyGroup = g
			s.AddBytes(sec, append([]byte(nil), body...))
			return nil
		})
		if err != nil {
			return fmt.Errorf("%v: %w", sec, err)
		}
	}
	if p.trigger != nil {
		p.snapshotTimers(s, sectionEventTimers, p.eventTimers)
		p.snapshotTimers(s, sectionClockTimers, p.clockTimers)
	}
	return nil
}

func (p *paneWindow[K, T, A, O]) snapshotTimers(s *state.Snapshot, name string, timers *timeservice.Timers[K, Window]) {
	frozen, c, groups := timers.Freeze(), p.timerCodec(), p.ctx.MaxParallelism
	sec := p.ctx.Section(name, state.Keyed, c.Fingerprint())
	s.Add(func(w *state.SnapshotWriter) error {
		return frozen.Sections(groups, c, func(g int, body []byte) error {
			sec.KeyGroup = g
			return w.Write(sec, body)
		})
	})
}

// writePanes makes a body for each key group that has panes. buf is memory to build them in; a body is valid during the
// call of write.
func writePanes[K comparable, A any](s *paneSlab[K, A], groups int, c paneCodec[K, A], head, buf []byte, write func(g int, body []byte) error) (err error) {
	first, n := make([]int, groups+1), 0 // by counting sort: where each group's panes begin
	s.each(func(_ int32, e *pane[K, A]) {
		first[flow.KeyGroup(e.hash, groups)+1]++
		n++
	})
	for g := range groups {
		first[g+1] += first[g]
	}
	order, fill := make([]int32, n), append([]int(nil), first...)
	s.each(func(i int32, e *pane[K, A]) {
		g := flow.KeyGroup(e.hash, groups)
		order[fill[g]] = i
		fill[g]++
	})
	for g := range groups {
		if first[g] == first[g+1] {
			continue
		}
		buf = append(buf[:0], head...)
		for _, i := range order[first[g]:first[g+1]] {
			if buf, err = c.append(buf, s.at(i)); err != nil {
				return err
			}
		}
		if err = write(g, buf); err != nil {
			return err
		}
	}
	return nil
}

func (p *paneWindow[K, T, A, O]) restore() error {
	ctx := p.ctx
	c := paneCodec[K, A]{key: p.spec.KeyType.Codec, acc: p.spec.Aggregate.Codec}
	err := ctx.Restore.Keyed(ctx.UID, sectionPanes, p.format(), ctx.Groups, func(_ int, body []byte) error {
		if len(body) < 8 {
			return fmt.Errorf("%w: %d bytes are too few for panes", state.ErrDamaged, len(body))
		}
		p.watermark = max(p.watermark, flow.Time(binary.LittleEndian.Uint64(body)))
		for body = body[8:]; len(body) > 0; {
			var e pane[K, A]
			var err error
			if body, err = c.read(body, &e); err != nil {
				return fmt.Errorf("%w: a pane: %w", state.ErrDamaged, err)
			}
			p.adopt(&e)
		}
		return nil
	})
	if err != nil || p.trigger == nil {
		return err
	}
	timers := p.timerCodec()
	load := func(name string, ts *timeservice.Timers[K, Window]) error {
		return ctx.Restore.Keyed(ctx.UID, name, timers.Fingerprint(), ctx.Groups, func(_ int, body []byte) error {
			return ts.Restore(body, timers)
		})
	}
	if err := load(sectionEventTimers, p.eventTimers); err != nil {
		return err
	}
	return load(sectionClockTimers, p.clockTimers)
}

// adopt takes in a pane that was restored.
func (p *paneWindow[K, T, A, O]) adopt(r *pane[K, A]) {
	hash := p.spec.KeyType.Hash(&r.key)
	head, _ := p.heads.Upsert(hash, &r.key)
	i := p.pane(head, &r.key, hash, r.win)
	e := p.panes.own(i)
	e.acc, e.state, e.firings, e.flags = r.acc, r.state, r.firings, r.flags|paneLive
	if p.trigger == nil {
		p.arm(e)
	}
}

// paneCodec writes and reads one pane.
type paneCodec[K comparable, A any] struct {
	key flow.Codec[K]
	acc flow.Codec[A]
}

func (c paneCodec[K, A]) append(buf []byte, e *pane[K, A]) ([]byte, error) {
	buf, err := c.key.Append(buf, &e.key)
	if err != nil {
		return buf, err
	}
	buf, _ = windowCodec{}.Append(buf, &e.win)
	buf = append(buf, byte(e.flags))
	buf = binary.AppendUvarint(buf, uint64(e.firings))
	for _, x := range e.state {
		buf = binary.AppendVarint(buf, x)
	}
	if e.flags&paneHas != 0 {
		return c.acc.Append(buf, &e.acc)
	}
	return buf, nil
}

func (c paneCodec[K, A]) read(buf []byte, e *pane[K, A]) ([]byte, error) {
	buf, err := c.key.Read(buf, &e.key)
	if err != nil {
		return buf, err
	}
	if buf, err = (windowCodec{}).Read(buf, &e.win); err != nil {
		return buf, err
	}
	if len(buf) == 0 {
		return buf, errShort
	}
	e.flags, buf = paneFlags(buf[0]), buf[1:]
	firings, n := binary.Uvarint(buf)
	if n <= 0 {
		return buf, errShort
	}
	e.firings, buf = int32(firings), buf[n:]
	for i := range e.state {
		x, n := binary.Varint(buf)
		if n <= 0 {
			return buf, errShort
		}
		e.state[i], buf = x, buf[n:]
	}
	if e.flags&paneHas != 0 {
		return c.acc.Read(buf, &e.acc)
	}
	return buf, nil
}

var errShort = fmt.Errorf("it ends too early")

// windowCodec writes start and end.
type windowCodec struct{}

func (windowCodec) Append(buf []byte, w *Window) ([]byte, error) {
	return binary.AppendVarint(binary.AppendVarint(buf, int64(w.Start)), int64(w.End)), nil
}

func (windowCodec) Read(buf []byte, w *Window) ([]byte, error) {
	start, n := binary.Varint(buf)
	if n <= 0 {
		return buf, errShort
	}
	buf = buf[n:]
	end, n := binary.Varint(buf)
	if n <= 0 {
		return buf, errShort
	}
	*w = Window{flow.Time(start), flow.Time(end)}
	return buf[n:], nil
}

func (windowCodec) Fingerprint() string { return "window" }
