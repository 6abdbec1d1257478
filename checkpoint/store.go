package checkpoint

import (
	"errors"
	"fmt"
	"io"
	"strings"
)

// ErrExists is wrapped by CreateIfAbsent's error when the name is taken.
var ErrExists = errors.New("exists already")

// ErrNotFound is wrapped by the errors of names that do not exist.
var ErrNotFound = errors.New("does not exist")

// Limits of names; object stores and file systems allow as much.
const (
	MaxName    = 512 // bytes
	maxSegment = 200 // bytes between two slashes; file systems allow 255, and temporary names need some
)

// Store is where checkpoints are kept: a small file system of named blobs. Names are relative, in segments of letters,
// digits and -_.=+@% that do not begin with a dot, separated by slashes (CheckName).
//
// Any goroutine may call any method; all may block on I/O. What a call reported as done outlives a crash of the machine,
// as far as the store promises that at all. Errors name the blob.
type Store interface {
	// Create begins a blob. It becomes visible, or replaces an older one of that name, as a whole at Commit.
	Create(name string) (Writer, error)
	// CreateIfAbsent makes a blob of data at once. Of any number of callers, in any number of processes, one wins; the
	// others get ErrExists. After another error the blob may or may not exist, but never in part.
	CreateIfAbsent(name string, data []byte) error
	Open(name string) (File, error)
	// List returns what lies under directory dir at any depth, by name; everything for dir "". A directory that does not
	// exist is empty.
	List(dir string) ([]Info, error)
	// Delete deletes a blob; one that does not exist is no error.
	Delete(name string) error
	// DeleteAll deletes all under directory dir, what List does not show included. The order is not defined.
	DeleteAll(dir string) error
}

// Writer writes one blob. One goroutine uses it; exactly one of Commit and Abort ends it.
type Writer interface {
	io.Writer
	// Commit makes the blob visible. After an error it is as if Abort had been called.
	Commit() error
	// Abort forgets the blob. It is safe to call after Commit, and does nothing then.
	Abort()
}

// File reads one blob. ReadAt may be called by several goroutines at once.
type File interface {
	io.ReaderAt
	io.Closer
	Size() int64
}

// Info describes a blob.
type Info struct {
	Name string
	Size int64 // bytes
}

// CheckName says what is wrong with a name of a blob or directory.
func CheckName(name string) error {
	if name == "" || len(name) > MaxName {
		return fmt.Errorf("store: name %q has %d bytes: 1 to %d are allowed", name, len(name), MaxName)
	}
	for seg := range strings.SplitSeq(name, "/") {
		if seg == "" || len(seg) > maxSegment || seg[0] == '.' {
			return fmt.Errorf("store: name %q: %q is empty, begins with a dot or is longer than %d bytes", name, seg, maxSegment)
		}
		for i := range len(seg) {
			if !nameByte(seg[i]) && seg[i] != '%' {
				return fmt.Errorf("store: name %q: %q is not allowed: use letters, digits and -_.=+@%%", name, seg[i])
			}
		}
	}
	return nil
}

// nameByte reports whether b needs no escape in a name.
func nameByte(b byte) bool {
	return b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9' || strings.IndexByte("-_.=+@", b) >= 0
}

// checkDir is CheckName for directories; "" is all.
func checkDir(dir string) error {
	if dir == "" {
		return nil
	}
	return CheckName(dir)
}

// ReadAll reads a blob that must not be larger than limit bytes.
func ReadAll(s Store, name string, limit int64) ([]byte, error) {
	f, err := s.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if f.Size() > limit {
		return nil, fmt.Errorf("%s: %w: %d bytes are more than %d", name, ErrDamaged, f.Size(), limit)
	}
	data := make([]byte, f.Size())
	if n, err := f.ReadAt(data, 0); n < len(data) {
		return nil, fmt.Errorf("store: read %s: %w", name, err)
	}
	return data, nil
}
