package state

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"unsafe"

	"github.com/weirstream/weir/codec"
	"github.com/weirstream/weir/flow"
	"github.com/weirstream/weir/timeservice"
)

// Backend keeps the keyed state that user functions declare: a directory that gives each key a row, and for each state
// columns with that row. There is one per keyed operator; it belongs to the subtask's goroutine. A key whose every state
// is cleared or has expired gives up its row.
type Backend struct {
	keys   directory
	groups flow.KeyGroupRange
	max    int
	clock  timeservice.Clock
	held   *atomic.Int32
	states []declared
	errs   []error

	restore  *Restore // what to read for states that are declared from now on
	operator string
	swept    int // the state that Sweep goes on with
}

// Registry is what states are declared at: the context that an operator's Open gives to user functions.
type Registry interface{ StateBackend() *Backend }

// Scoped is what states are read through: the context that user functions are called with.
type Scoped interface{ StateScope() *Scope }

// declared is one state of a Backend. Rows are those of the directory.
type declared interface {
	name() string
	format() string
	// freeze returns the state as it is now, without what has expired. The backend has counted itself in held.
	freeze(now flow.Time) frozenState
	// load reads the payload of one key and reports whether any of it was still alive.
	load(shard int, r uint32, f flags, buf []byte, now flow.Time) (rest []byte, alive bool, err error)
	// sweep looks at about budget entries and frees what has expired.
	sweep(now flow.Time, budget int)
	// expires reports whether the state has a time to live.
	expires() bool
	bytes() int64
}

// frozenState is a state as it was at a freeze.
type frozenState interface {
	flags() flags
	// each calls visit for every row that has something.
	each(shard int, visit func(r uint32) bool)
	// appendPayload writes what row r has, for declared.load.
	appendPayload(buf []byte, shard int, r uint32) ([]byte, error)
}

// directory gives keys rows. A row of a directory counts the states that have something for it.
type directory interface {
	find(shard int, hash uint64, k unsafe.Pointer) uint32
	add(shard int, hash uint64, k unsafe.Pointer) uint32
	// use counts one more state; disuse one less, and reports whether that freed the row.
	use(shard int, r uint32)
	disuse(shard int, r uint32) bool
	// read reads a key and finds or makes its row.
	read(shard int, buf []byte) (r uint32, rest []byte, err error)
	// tidy frees row r if no state uses it.
	tidy(shard int, r uint32)
	freeze() frozenDirectory
	format() string
	len() int
	bytes() int64
}

type frozenDirectory interface {
	appendKey(buf []byte, shard int, r uint32) ([]byte, error)
}

// KeyedBackend is the Backend of an operator whose keys are of type K.
type KeyedBackend[K comparable] struct{ Backend }

// NewBackend makes an empty backend for the key groups of a subtask, of max in all.
func NewBackend[K comparable](key codec.Key[K], groups flow.KeyGroupRange, max int, clock timeservice.Clock) *KeyedBackend[K] {
	held := new(atomic.Int32)
	rows := newStore[K, uint32](key, nil, groups, max, held)
	keys := &keyDirectory[K]{rows: rows, key: key, from: groups.From, max: max}
	return &KeyedBackend[K]{Backend{keys: keys, groups: groups, max: max, clock: clock, held: held}}
}

// At puts *k, whose hash is given, at hand. k must stay valid and unchanged as long as s is used.
func (b *KeyedBackend[K]) At(s *Scope, hash uint64, k *K) {
	*s = Scope{backend: &b.Backend, key: unsafe.Pointer(k), hash: hash, shard: flow.KeyGroup(hash, b.max) - b.groups.From, row: unasked}
}

// Scope is the key at hand. It is set by At, once for each record, and valid until the next At, Sweep or Restore.
type Scope struct {
	backend *Backend
	key     unsafe.Pointer
	hash    uint64
	shard   int
	row     uint32 // looked up when a state is first asked
	timed   bool   // now has been read
	now     flow.Time
}

// unasked is the row of a scope that no state was asked through yet.
const unasked = none - 1

// find is the row of the key at hand, or none.
func (s *Scope) find() uint32 {
	if s.row == unasked {
		s.row = s.backend.keys.find(s.shard, s.hash, s.key)
	}
	return s.row
}

// make is the row of the key at hand, which is given one if it has none.
func (s *Scope) make() uint32 {
	if s.find() == none {
		s.row = s.backend.keys.add(s.shard, s.hash, s.key)
	}
	return s.row
}

// disuse says that one state less has something for the key.
func (s *Scope) disuse() {
	if s.backend.keys.disuse(s.shard, s.row) {
		s.row = none
	}
}

// time is the processing time of the access: one for all accesses of a record.
func (s *Scope) time() flow.Time {
	if !s.timed {
		s.now, s.timed = s.backend.clock.Now(), true
	}
	return s.now
}

// scope is s's scope, which must be of the backend that the state was declared at.
func (b *Backend) scope(s Scoped) *Scope {
	sc := s.StateScope()
	if sc.backend != b {
		panic(errForeignScope)
	}
	return sc
}

var errForeignScope = errors.New("state: a state is used with a context of another operator, or one that has no key: " +
	"declare it in the Open of the function that uses it")

// Err returns what was wrong with declarations: names used twice, types without a codec, state that was written in
// another format. The operator returns it from its Open.
func (b *Backend) Err() error { return errors.Join(b.errs...) }

// Len is the number of keys that have state.
func (b *Backend) Len() int { return b.keys.len() }

// Bytes is the memory in use, but for what values point to.
func (b *Backend) Bytes() int64 {
	n := b.keys.bytes()
	for _, st := range b.states {
		n += st.bytes()
	}
	return n
}

// Sweep looks at about budget values that have a time to live and frees those that have expired. Operators call it now
// and then, say at watermarks.
func (b *Backend) Sweep(budget int) {
	n := 0
	for _, st := range b.states {
		if st.expires() {
			n++
		}
	}
	if n == 0 {
		return
	}
	now, share := b.clock.Now(), max(budget/n, 1)
	for range b.states {
		b.swept = (b.swept + 1) % len(b.states)
		if st := b.states[b.swept]; st.expires() {
			st.sweep(now, share)
			if budget -= share; budget <= 0 {
				return
			}
		}
	}
}

// declare adds a state and reads what was restored for it.
func (b *Backend) declare(st declared, errs ...error) {
	err := errors.Join(errs...)
	if err == nil && slices.ContainsFunc(b.states, func(o declared) bool { return o.name() == st.name() }) {
		err = errTwiceDeclared
	}
	if err != nil {
		b.errs = append(b.errs, fmt.Errorf("state %q: %w", st.name(), err))
		return
	}
	b.states = append(b.states, st)
	if err := b.load(st); err != nil {
		b.errs = append(b.errs, err)
	}
}

var errTwiceDeclared = errors.New("it was declared twice: give each state of an operator a name of its own")

// sectionPrefix keeps the names that users choose apart from those of the operators' own sections.
const sectionPrefix = "state/"

// Restore reads operator's part of r, which may be nil, into the states that are declared, and remembers r for those
// that will be.
func (b *Backend) Restore(r *Restore, operator string) error {
	b.restore, b.operator = r, operator
	for _, st := range b.states {
		if err := b.load(st); err != nil {
			return err
		}
	}
	return nil
}

// Undeclared lists the names that are in what was given to Restore but have not been declared, ascending: state that
// will be lost with the next snapshot.
func (b *Backend) Undeclared() []string {
	return undeclared(b.restore, b.operator, sectionPrefix, func(name string) bool {
		return slices.ContainsFunc(b.states, func(st declared) bool { return st.name() == name })
	})
}

func undeclared(r *Restore, operator, prefix string, known func(name string) bool) (names []string) {
	if r == nil {
		return nil
	}
	for _, f := range r.Files {
		for _, sec := range f.Sections() {
			name, ok := strings.CutPrefix(sec.Name, prefix)
			if ok && sec.Operator == operator && !known(name) {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func (b *Backend) load(st declared) error {
	now := b.clock.Now()
	format := b.sectionFormat(st)
	return b.restore.Keyed(b.operator, sectionPrefix+st.name(), format, b.groups, func(group int, body []byte) error {
		return b.loadBody(st, group-b.groups.From, body, now)
	})
}

func (b *Backend) sectionFormat(st declared) string { return b.keys.format() + ":" + st.format() }

func (b *Backend) loadBody(st declared, shard int, body []byte, now flow.Time) error {
	if len(body) == 0 || flags(body[0])&^allFlags != 0 {
		return fmt.Errorf("%w: unknown flags in front", ErrDamaged)
	}
	f := flags(body[0])
	n, rest, err := readCount(body[1:])
	if err != nil {
		return err
	}
	for i := range n {
		var r uint32
		var alive bool
		if r, rest, err = b.keys.read(shard, rest); err != nil {
			return fmt.Errorf("%w: key of entry %d of %d: %w", ErrDamaged, i, n, err)
		}
		if rest, alive, err = st.load(shard, r, f, rest, now); err != nil {
			return fmt.Errorf("%w: entry %d of %d: %w", ErrDamaged, i, n, err)
		}
		if !alive {
			b.keys.tidy(shard, r)
		}
	}
	if len(rest) > 0 {
		return fmt.Errorf("%w: %d bytes behind the last of %d entries", ErrDamaged, len(rest), n)
	}
	return nil
}

// Snapshot freezes all states now, at the cost of about a word per block of rows and a bit per row, and has them written
// later as sections of operator. While they are being written, first writes to blocks copy them (Table.Freeze).
func (b *Backend) Snapshot(s *Snapshot, operator string) {
	if b.Len() == 0 {
		return
	}
	b.held.Add(1)
	now, keys := b.clock.Now(), b.keys.freeze()
	parts := make([]frozenState, len(b.states))
	secs := make([]Section, len(b.states))
	for i, st := range b.states {
		parts[i] = st.freeze(now)
		secs[i] = Section{Operator: operator, Name: sectionPrefix + st.name(), Kind: Keyed, Format: b.sectionFormat(st)}
	}
	groups, held := b.groups, b.held
	s.Add(func(w *SnapshotWriter) error {
		if held == nil {
			return fmt.Errorf("states of operator %q: %w", operator, errReleased)
		}
		defer func() {
			held.Add(-1)
			held = nil
		}()
		for i, part := range parts {
			if err := writeState(w, secs[i], part, keys, groups); err != nil {
				return err
			}
		}
		return nil
	})
}

// writeState writes one section for each key group that has something. A body is flags, the number of entries, and the
// entries: key, payload.
func writeState(w *SnapshotWriter, sec Section, st frozenState, keys frozenDirectory, groups flow.KeyGroupRange) error {
	for shard := range groups.Len() {
		buf := append(w.Buffer(), byte(st.flags()), 0, 0, 0, 0)
		n := uint32(0)
		var err error
		st.each(shard, func(r uint32) bool {
			n++
			if buf, err = keys.appendKey(buf, shard, r); err == nil {
				buf, err = st.appendPayload(buf, shard, r)
			}
			return err == nil
		})
		sec.KeyGroup = groups.From + shard
		if err != nil {
			return fmt.Errorf("%v: %w", sec, err)
		}
		if n > 0 {
			binary.LittleEndian.PutUint32(buf[1:], n)
			if err := w.Write(sec, buf); err != nil {
				return err
			}
		}
		w.Recycle(buf)
	}
	return nil
}
