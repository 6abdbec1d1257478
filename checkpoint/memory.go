package checkpoint

import (
	"bytes"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
)

// OpKind is one thing that is asked of a store.
type OpKind uint8

const (
	OpCreate OpKind = iota
	OpWrite
	OpCommit
	OpCreateIfAbsent
	OpOpen
	OpRead
	OpList
	OpDelete
	OpDeleteAll
)

func (k OpKind) String() string {
	return [...]string{"create", "write", "commit", "create-if-absent", "open", "read", "list", "delete", "delete-all"}[k]
}

// Op is one call that a Memory store was asked to do.
type Op struct {
	N    int64 // counts all calls from 1
	Kind OpKind
	Name string
}

func (o Op) String() string { return fmt.Sprintf("%d %v %s", o.N, o.Kind, o.Name) }

// Fault is what happens to a call. The zero Fault is none.
type Fault struct {
	// Wait, if set, is called before the call is done; what it waits for is how long a slow store takes.
	Wait func()
	// Err is returned. The call has no effect unless Done is set.
	Err error
	// Done: the call takes effect although it returns Err; its answer was lost.
	Done bool
	// Torn: of what OpWrite or OpCreateIfAbsent was given only the first Keep bytes are kept. Without Err nobody is told.
	Torn bool
	Keep int
}

// Memory is a Store in memory, for tests and the simulator. It is deterministic: what goes wrong is asked of a function.
type Memory struct {
	// The mutex is held for map accesses only, never while Faults or Wait run. It is here because uploads call a store
	// from goroutines of their own; Memory itself starts none.
	mu     sync.Mutex
	blobs  map[string][]byte
	ops    int64
	faults func(Op) Fault
}

// NewMemory makes an empty store. faults is asked before every call, by the caller's goroutine; nil: nothing goes wrong.
func NewMemory(faults func(Op) Fault) *Memory {
	return &Memory{blobs: make(map[string][]byte), faults: faults}
}

// fault counts a call and asks what is to go wrong. do reports whether the call is to have its effect.
func (m *Memory) fault(kind OpKind, name string) (f Fault, do bool) {
	m.mu.Lock()
	m.ops++
	op := Op{N: m.ops, Kind: kind, Name: name}
	m.mu.Unlock()
	if m.faults != nil {
		f = m.faults(op)
	}
	if f.Wait != nil {
		f.Wait()
	}
	if f.Err != nil {
		f.Err = fmt.Errorf("store: %v %s: %w", kind, name, f.Err)
	}
	return f, f.Err == nil || f.Done || f.Torn
}

func (f Fault) cut(b []byte) []byte {
	if f.Torn {
		return b[:min(max(f.Keep, 0), len(b))]
	}
	return b
}

// Create implements Store.
func (m *Memory) Create(name string) (Writer, error) {
	if err := CheckName(name); err != nil {
		return nil, err
	}
	if f, _ := m.fault(OpCreate, name); f.Err != nil {
		return nil, f.Err
	}
	return &memoryWriter{m: m, name: name}, nil
}

type memoryWriter struct {
	m     *Memory
	name  string
	buf   []byte
	ended bool
}

func (w *memoryWriter) Write(b []byte) (int, error) {
	if w.ended {
		return 0, fmt.Errorf("store: write %s: %w", w.name, fs.ErrClosed)
	}
	f, do := w.m.fault(OpWrite, w.name)
	if do {
		w.buf = append(w.buf, f.cut(b)...)
	}
	if f.Err != nil {
		return 0, f.Err
	}
	return len(b), nil
}

func (w *memoryWriter) Commit() error {
	if w.ended {
		return fmt.Errorf("store: commit %s: %w", w.name, fs.ErrClosed)
	}
	w.ended = true
	f, do := w.m.fault(OpCommit, w.name)
	if do {
		w.m.mu.Lock()
		w.m.blobs[w.name] = w.buf
		w.m.mu.Unlock()
	}
	return f.Err
}

func (w *memoryWriter) Abort() { w.ended, w.buf = true, nil }

// CreateIfAbsent implements Store.
func (m *Memory) CreateIfAbsent(name string, data []byte) error {
	if err := CheckName(name); err != nil {
		return err
	}
	f, do := m.fault(OpCreateIfAbsent, name)
	if !do {
		return f.Err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, taken := m.blobs[name]; taken {
		return fmt.Errorf("store: %s %w", name, ErrExists)
	}
	m.blobs[name] = slices.Clone(f.cut(data))
	return f.Err
}

// Open implements Store.
func (m *Memory) Open(name string) (File, error) {
	if err := CheckName(name); err != nil {
		return nil, err
	}
	if f, _ := m.fault(OpOpen, name); f.Err != nil {
		return nil, f.Err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	b, ok := m.blobs[name]
	if !ok {
		return nil, fmt.Errorf("store: %s %w", name, ErrNotFound)
	}
	return &memoryFile{m: m, name: name, r: bytes.NewReader(b)}, nil
}

type memoryFile struct {
	m    *Memory
	name string
	r    *bytes.Reader
}

func (f *memoryFile) ReadAt(b []byte, off int64) (int, error) {
	if fault, _ := f.m.fault(OpRead, f.name); fault.Err != nil {
		return 0, fault.Err
	}
	return f.r.ReadAt(b, off)
}

func (f *memoryFile) Size() int64  { return f.r.Size() }
func (f *memoryFile) Close() error { return nil }

// List implements Store.
func (m *Memory) List(dir string) ([]Info, error) {
	if err := checkDir(dir); err != nil {
		return nil, err
	}
	if f, _ := m.fault(OpList, dir); f.Err != nil {
		return nil, f.Err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var infos []Info
	for name, b := range m.blobs {
		if dir == "" || strings.HasPrefix(name, dir+"/") {
			infos = append(infos, Info{Name: name, Size: int64(len(b))})
		}
	}
	slices.SortFunc(infos, func(a, b Info) int { return strings.Compare(a.Name, b.Name) })
	return infos, nil
}

// Delete implements Store.
func (m *Memory) Delete(name string) error {
	if err := CheckName(name); err != nil {
		return err
	}
	f, do := m.fault(OpDelete, name)
	if do {
		m.mu.Lock()
		delete(m.blobs, name)
		m.mu.Unlock()
	}
	return f.Err
}

// DeleteAll implements Store.
func (m *Memory) DeleteAll(dir string) error {
	if err := CheckName(dir); err != nil {
		return err
	}
	f, do := m.fault(OpDeleteAll, dir)
	if do {
		m.mu.Lock()
		for name := range m.blobs {
			if strings.HasPrefix(name, dir+"/") {
				delete(m.blobs, name)
			}
		}
		m.mu.Unlock()
	}
	return f.Err
}

// Put sets a blob without asking for faults, so that tests can damage one.
func (m *Memory) Put(name string, data []byte) {
	m.mu.Lock()
	m.blobs[name] = slices.Clone(data)
	m.mu.Unlock()
}
