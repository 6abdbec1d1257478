package state

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/weirstream/weir/flow"
)

// Kind says how the sections of a state find their readers after the parallelism has changed.
type Kind uint8

const (
	// Keyed sections belong to one key group each; a subtask reads those of its range.
	Keyed Kind = iota + 1
	// Split sections are lists of elements, dealt out evenly over the subtasks.
	Split
	// Union sections are lists of elements; every subtask reads all of them.
	Union
	// Broadcast sections are equal on every subtask; any one of them is read.
	Broadcast
	// Task sections are what a subtask keeps for itself (its watermark); every subtask reads all of them and merges.
	Task
)

// Section names one piece of a subtask's snapshot.
type Section struct {
	Operator string // UID of the operator
	Name     string // name of the state within the operator
	Kind     Kind
	Format   string // fingerprint of the codec that wrote it
	KeyGroup int    // for Keyed; 0 otherwise
}

func (s Section) String() string {
	if s.Kind == Keyed {
		return fmt.Sprintf("state %q of operator %q, key group %d", s.Name, s.Operator, s.KeyGroup)
	}
	return fmt.Sprintf("state %q of operator %q", s.Name, s.Operator)
}

// Snapshot collects what a subtask's operators add in the synchronous part of a checkpoint, and writes it later, on
// another goroutine. What Add is given must read only what was frozen before Add returned.
type Snapshot struct{ parts []func(*SnapshotWriter) error }

// Add registers one asynchronous piece of work. It is called on the subtask's goroutine.
func (s *Snapshot) Add(write func(w *SnapshotWriter) error) { s.parts = append(s.parts, write) }

// AddBytes adds one section whose bytes are ready. body is not copied and must not change.
func (s *Snapshot) AddBytes(sec Section, body []byte) {
	s.Add(func(w *SnapshotWriter) error { return w.Write(sec, body) })
}

// Empty reports whether nothing was added.
func (s *Snapshot) Empty() bool { return len(s.parts) == 0 }

// WriteFile writes all sections to out and returns the file's size in bytes and its CRC-32C. It runs on the upload's
// goroutine.
func (s *Snapshot) WriteFile(out io.Writer) (size int64, sum uint32, err error) {
	w := &SnapshotWriter{out: out}
	if err := w.raw([]byte(snapshotMagic)); err != nil {
		return 0, 0, err
	}
	for _, part := range s.parts {
		if err := part(w); err != nil {
			return 0, 0, err
		}
	}
	if err := w.finish(); err != nil {
		return 0, 0, err
	}
	return w.size, w.sum, nil
}

// The file: magic, section bodies, index, footer. The index has for each section its name, offset, length and CRC; the
// footer has the index's offset, length and CRC, and the magic again.
const (
	snapshotMagic  = "WEIRSNP1"
	footerLen      = 8 + 8 + 4 + 8
	maxSectionName = 1 << 12 // bytes of UID, name or format; longer ones mean a damaged index
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

type entry struct {
	Section
	off, len int64
	sum      uint32
}

// SnapshotWriter writes sections one after the other.
type SnapshotWriter struct {
	out   io.Writer
	size  int64
	sum   uint32
	index []entry
	buf   []byte
}

// Write writes one section.
func (w *SnapshotWriter) Write(sec Section, body []byte) error {
	w.index = append(w.index, entry{sec, w.size, int64(len(body)), crc32.Checksum(body, castagnoli)})
	return w.raw(body)
}

// Buffer returns an empty scratch slice that a part may build a section in. Give it back with Recycle.
func (w *SnapshotWriter) Buffer() []byte { return w.buf[:0] }

// Recycle keeps the memory of buf for the next Buffer.
func (w *SnapshotWriter) Recycle(buf []byte) { w.buf = buf }

func (w *SnapshotWriter) raw(b []byte) error {
	n, err := w.out.Write(b)
	w.size += int64(n)
	w.sum = crc32.Update(w.sum, castagnoli, b[:n])
	return err
}

func (w *SnapshotWriter) finish() error {
	b := binary.AppendUvarint(nil, uint64(len(w.index)))
	for _, e := range w.index {
		for _, s := range []string{e.Operator, e.Name, e.Format} {
			b = binary.AppendUvarint(b, uint64(len(s)))
			b = append(b, s...)
		}
		b = append(b, byte(e.Kind))
		b = binary.AppendUvarint(b, uint64(e.KeyGroup))
		b = binary.AppendUvarint(b, uint64(e.off))
		b = binary.AppendUvarint(b, uint64(e.len))
		b = binary.LittleEndian.AppendUint32(b, e.sum)
	}
	off := w.size
	if err := w.raw(b); err != nil {
		return err
	}
	f := binary.LittleEndian.AppendUint64(nil, uint64(off))
	f = binary.LittleEndian.AppendUint64(f, uint64(len(b)))
	f = binary.LittleEndian.AppendUint32(f, crc32.Checksum(b, castagnoli))
	f = append(f, snapshotMagic...)
	return w.raw(f)
}

// ErrDamaged is wrapped by every error that says that bytes of a snapshot are not what was written.
var ErrDamaged = errors.New("damaged snapshot")

// SnapshotFile reads one subtask's snapshot. It is not safe for concurrent use.
type SnapshotFile struct {
	name  string
	r     io.ReaderAt
	index []entry
}

// OpenSnapshot reads the index of a snapshot of size bytes; name is for error messages.
func OpenSnapshot(name string, r io.ReaderAt, size int64) (*SnapshotFile, error) {
	f := &SnapshotFile{name: name, r: r}
	if size < int64(len(snapshotMagic)+footerLen) {
		return nil, f.damaged("%d bytes are too few for a snapshot", size)
	}
	foot := make([]byte, footerLen)
	if _, err := r.ReadAt(foot, size-footerLen); err != nil && err != io.EOF {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	off, n := binary.LittleEndian.Uint64(foot), binary.LittleEndian.Uint64(foot[8:])
	if string(foot[20:]) != snapshotMagic {
		return nil, f.damaged("no footer")
	}
	if off > uint64(size) || n > uint64(size) || off+n+footerLen != uint64(size) {
		return nil, f.damaged("index at %d+%d of %d bytes", off, n, size)
	}
	b := make([]byte, n)
	if _, err := r.ReadAt(b, int64(off)); err != nil && err != io.EOF {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if crc32.Checksum(b, castagnoli) != binary.LittleEndian.Uint32(foot[16:]) {
		return nil, f.damaged("checksum of the index does not match")
	}
	if err := f.parse(b, int64(off)); err != nil {
		return nil, err
	}
	return f, nil
}

func (f *SnapshotFile) parse(b []byte, end int64) error {
	d := decoder{b: b}
	n := d.uvarint()
	for i := uint64(0); i < n && !d.bad; i++ {
		e := entry{Section: Section{Operator: d.str(), Name: d.str(), Format: d.str()}}
		e.Kind = Kind(d.byte())
		e.KeyGroup = int(d.uvarint())
		e.off, e.len = int64(d.uvarint()), int64(d.uvarint())
		e.sum = d.uint32()
		if e.off < 0 || e.len < 0 || e.off > end || e.len > end-e.off || e.KeyGroup < 0 || e.KeyGroup >= flow.MaxKeyGroups {
			return f.damaged("entry %d of the index points outside the file", i)
		}
		f.index = append(f.index, e)
	}
	if d.bad || len(d.b) != 0 {
		return f.damaged("index does not parse")
	}
	return nil
}

func (f *SnapshotFile) damaged(format string, a ...any) error {
	return fmt.Errorf("%s: %w: %s", f.name, ErrDamaged, fmt.Sprintf(format, a...))
}

// Sections lists what the file holds, in the order in which it was written.
func (f *SnapshotFile) Sections() []Section {
	s := make([]Section, len(f.index))
	for i, e := range f.index {
		s[i] = e.Section
	}
	return s
}

// Each calls read with the body of every section of one state for which want (nil: all) is true, in file order. body is
// fresh memory that read may keep.
func (f *SnapshotFile) Each(operator, name string, want func(Section) bool, read func(s Section, body []byte) error) error {
	for _, e := range f.index {
		if e.Operator != operator || e.Name != name || (want != nil && !want(e.Section)) {
			continue
		}
		body := make([]byte, e.len)
		if _, err := f.r.ReadAt(body, e.off); err != nil && err != io.EOF {
			return fmt.Errorf("%s: %v: %w", f.name, e.Section, err)
		}
		if crc32.Checksum(body, castagnoli) != e.sum {
			return f.damaged("%v: checksum does not match", e.Section)
		}
		if err := read(e.Section, body); err != nil {
			return fmt.Errorf("%s: %v: %w", f.name, e.Section, err)
		}
	}
	return nil
}

// Restore is what a subtask may read at Open: the snapshots of all subtasks that its vertex had. nil means a fresh start.
type Restore struct{ Files []*SnapshotFile }

// Keyed reads the sections of a keyed state that lie in groups. format is what the reader understands; a section
// written in another is an error that names both.
func (r *Restore) Keyed(operator, name, format string, groups flow.KeyGroupRange, read func(group int, body []byte) error) error {
	in := func(s Section) bool { return s.Kind == Keyed && groups.Contains(s.KeyGroup) }
	return r.each(operator, name, format, in, func(s Section, b []byte) error { return read(s.KeyGroup, b) })
}

// All reads every section of a state, of every old subtask in order. How they are shared out is the caller's business.
func (r *Restore) All(operator, name, format string, read func(body []byte) error) error {
	return r.each(operator, name, format, nil, func(_ Section, b []byte) error { return read(b) })
}

func (r *Restore) each(operator, name, format string, want func(Section) bool, read func(Section, []byte) error) error {
	if r == nil {
		return nil
	}
	for _, f := range r.Files {
		err := f.Each(operator, name, want, func(s Section, b []byte) error {
			if s.Format != format {
				return fmt.Errorf("it was written as %q and this job reads %q: the type of the state has changed", s.Format, format)
			}
			return read(s, b)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// decoder reads the index; after a fault bad is true and everything reads as zero.
type decoder struct {
	b   []byte
	bad bool
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.bad, d.b = true, nil
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) take(n uint64) []byte {
	if d.bad || n > uint64(len(d.b)) {
		d.bad, d.b = true, nil
		return nil
	}
	b := d.b[:n]
	d.b = d.b[n:]
	return b
}

func (d *decoder) str() string {
	n := d.uvarint()
	if n > maxSectionName {
		d.bad = true
	}
	return string(d.take(n))
}

func (d *decoder) byte() byte {
	if b := d.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (d *decoder) uint32() uint32 {
	if b := d.take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}
