package codec

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"reflect"
	"unsafe"

	"github.com/weirstream/weir/flow"
)

// ErrDamaged is in the chain of every error that Read returns for bytes that no Append has written.
var ErrDamaged = errors.New("damaged input")

// version begins every fingerprint of a compiled codec. It changes when bytes on disk change their meaning.
const version = "w1:"

// maxFingerprint is the longest fingerprint in bytes. Snapshots carry one with every section; of a longer one only the
// beginning is kept, and a checksum of the whole.
const maxFingerprint = 1024

// compiled is the codec of T as a tree of functions.
type compiled[T any] struct {
	root        *plan
	name        string
	fingerprint string
}

// For returns the compiled codec of T. T is inspected by reflection here, once. The error names the path of the field
// that cannot be stored and says what to do.
//
// All fields are stored, unexported ones too, but for those named _. Two pointers to one value are read as pointers to
// two; a time.Time loses its zone and its monotonic reading and is read in UTC.
func For[T any]() (flow.Codec[T], error) { return compileFor[T](&compiler{}) }

// MustFor is For for types that are known to be good; it panics otherwise.
func MustFor[T any]() flow.Codec[T] {
	c, err := For[T]()
	if err != nil {
		panic(err)
	}
	return c
}

func compileFor[T any](c *compiler) (*compiled[T], error) {
	t := reflect.TypeFor[T]()
	name := t.Name()
	if name == "" {
		name = t.String()
	}
	root, err := c.plan(t, name)
	if err != nil {
		return nil, fmt.Errorf("codec: %w", err)
	}
	return &compiled[T]{root: root, name: name, fingerprint: shorten(version + root.format)}, nil
}

// Append implements flow.Codec.
func (c *compiled[T]) Append(buf []byte, v *T) ([]byte, error) {
	out, err := c.root.append(buf, unsafe.Pointer(v))
	if err != nil {
		return buf, at(c.name, err)
	}
	return out, nil
}

// Read implements flow.Codec. It overwrites all of *v, and shares no memory with what *v held before. After an error *v
// is filled in part.
func (c *compiled[T]) Read(buf []byte, v *T) ([]byte, error) {
	rest, err := c.root.read(buf, unsafe.Pointer(v))
	if err != nil {
		return buf, at(c.name, err)
	}
	return rest, nil
}

// Fingerprint implements flow.Codec.
func (c *compiled[T]) Fingerprint() string { return c.fingerprint }

func shorten(s string) string {
	if len(s) <= maxFingerprint {
		return s
	}
	sum := sha256.Sum256([]byte(s))
	tail := "...#" + hex.EncodeToString(sum[:])
	return s[:maxFingerprint-len(tail)] + tail
}

// fieldError says where in a value an error arose.
type fieldError struct {
	path string
	err  error
}

func (e *fieldError) Error() string { return "codec: " + e.path + ": " + e.err.Error() }
func (e *fieldError) Unwrap() error { return e.err }

// at adds a path to err, unless something further in has done so.
func at(path string, err error) error {
	if _, done := err.(*fieldError); done {
		return err
	}
	return &fieldError{path, err}
}
