package codec

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"reflect"
	"slices"
	"time"
	"unsafe"
)

// plan is how values of one type are stored: a node of the tree of functions.
type plan struct {
	// append and read have the contract of flow.Codec; p points to a value of the plan's type.
	append func(buf []byte, p unsafe.Pointer) ([]byte, error)
	read   func(buf []byte, p unsafe.Pointer) ([]byte, error)
	// size is the size in memory.
	size uintptr
	// min is the fewest bytes a value is stored in. It bounds element counts (I3); min == 0 only if size == 0.
	min int
	// raw says that the stored bytes are the bytes in memory, and that any bytes are a good value.
	raw bool
	// steps are the fields of a struct, to be taken over by the struct around it.
	steps []step
	// format is the type's part of the fingerprint.
	format string
}

// compiler builds plans. The zero compiler is that of For.
type compiler struct {
	// keys asks for codecs of keys: equal values have equal bytes, and nothing is stored that == does not look at.
	keys bool
	// portable asks for code that does not use the layout of memory; set by tests, and needed on big-endian machines.
	portable bool

	nodes  int
	active []reflect.Type
}

const (
	// maxNodes bounds the size of a tree, in types and fields. A record with more has become so by a type that doubles at
	// every level.
	maxNodes = 1 << 16
	// looseFactor is how much larger than its shortest stored form a value may be in memory before slices of it grow with
	// the input instead of being made at once.
	looseFactor = 32
)

const advice = "give the step a codec of your own, or one from codec.Msgpack"

// plan builds the plan of t. path is where t stands, for error messages.
func (c *compiler) plan(t reflect.Type, path string) (*plan, error) {
	if c.nodes++; c.nodes > maxNodes {
		return nil, fmt.Errorf("%s: the type has more than %d fields in all; %s", path, maxNodes, advice)
	}
	for _, a := range c.active {
		if a == t {
			return nil, fmt.Errorf("%s: %v refers to itself, which cannot be stored; keep what it points to in a slice and refer to it by index, or %s", path, t, advice)
		}
	}
	c.active = append(c.active, t)
	p, err := c.structural(t, path)
	c.active = c.active[:len(c.active)-1]
	if err != nil && marshals(t) && (!c.keys || canonical(t)) {
		return marshalerPlan(t), nil
	}
	return p, err
}

func (c *compiler) structural(t reflect.Type, path string) (*plan, error) {
	if p, err := c.named(t, path); p != nil || err != nil {
		return p, err
	}
	if p := c.scalar(t); p != nil {
		return p, nil
	}
	if c.keys {
		if err := refuseAsKey(t, path); err != nil {
			return nil, err
		}
	}
	switch t.Kind() {
	case reflect.String:
		return stringPlan(), nil
	case reflect.Struct:
		return c.structPlan(t, path)
	case reflect.Array:
		return c.arrayPlan(t, path)
	case reflect.Slice:
		return c.slicePlan(t, path)
	case reflect.Map:
		return c.mapPlan(t, path)
	case reflect.Pointer:
		return c.pointerPlan(t, path)
	case reflect.Interface:
		return nil, fmt.Errorf("%s: %v can hold anything, so its type is not known when the job is built; use a concrete type, or %s", path, t, advice)
	case reflect.Uintptr, reflect.UnsafePointer:
		return nil, fmt.Errorf("%s: %v cannot be stored: an address means nothing in another process; leave the field out of the record", path, t)
	}
	return nil, fmt.Errorf("%s: %v cannot be stored; leave the field out of the record, or %s", path, t, advice)
}

// named builds the plans of types of the standard library that are more than their fields.
func (c *compiler) named(t reflect.Type, path string) (*plan, error) {
	switch {
	case isTime(t) && c.keys:
		return nil, fmt.Errorf("%s: time.Time cannot be a key: the same instant in two zones is not equal; use flow.TimeOf(t) or t.UnixNano()", path)
	case isTime(t):
		return timePlan(), nil
	case t.PkgPath() == "sync":
		return nil, fmt.Errorf("%s: %v cannot be stored: a lock has no meaning in another process; leave the field out of the record", path, t)
	case t == reflect.TypeFor[time.Location]():
		return nil, fmt.Errorf("%s: %v cannot be stored; store its name and use time.LoadLocation", path, t)
	case isHandle(t):
		return nil, fmt.Errorf("%s: %v cannot be stored; store its Value()", path, t)
	}
	return nil, nil
}

func refuseAsKey(t reflect.Type, path string) error {
	switch t.Kind() {
	case reflect.Interface, reflect.Pointer, reflect.Chan:
		return fmt.Errorf("%s: %v cannot be part of a key: equal keys must have equal bytes in every process; use integers, strings, or structs and arrays of them", path, t)
	}
	return nil
}

// rawPlan stores n bytes as they are in memory.
func rawPlan(n uintptr, format string) *plan {
	p := &plan{size: n, min: int(n), raw: true, format: format}
	switch n { // a copy of known length is a few instructions, any other is a call
	case 4:
		p.append, p.read = appendFixed[[4]byte], readFixed[[4]byte]
	case 8:
		p.append, p.read = appendFixed[[8]byte], readFixed[[8]byte]
	case 16:
		p.append, p.read = appendFixed[[16]byte], readFixed[[16]byte]
	case 24:
		p.append, p.read = appendFixed[[24]byte], readFixed[[24]byte]
	case 32:
		p.append, p.read = appendFixed[[32]byte], readFixed[[32]byte]
	default:
		p.append = func(buf []byte, v unsafe.Pointer) ([]byte, error) {
			return append(buf, unsafe.Slice((*byte)(v), n)...), nil
		}
		p.read = func(buf []byte, v unsafe.Pointer) ([]byte, error) {
			if uintptr(len(buf)) < n {
				return nil, short(n, buf)
			}
			copy(unsafe.Slice((*byte)(v), n), buf)
			return buf[n:], nil
		}
	}
	return p
}

// appendFixed copies the bytes of an array of bytes.
func appendFixed[A any](buf []byte, p unsafe.Pointer) ([]byte, error) {
	var a A
	n := len(buf)
	if cap(buf)-n < int(unsafe.Sizeof(a)) {
		buf = slices.Grow(buf, int(unsafe.Sizeof(a)))
	}
	buf = buf[:n+int(unsafe.Sizeof(a))]
	*(*A)(unsafe.Pointer(&buf[n])) = *(*A)(p)
	return buf, nil
}

func readFixed[A any](buf []byte, p unsafe.Pointer) ([]byte, error) {
	var a A
	if len(buf) < int(unsafe.Sizeof(a)) {
		return nil, short(unsafe.Sizeof(a), buf)
	}
	*(*A)(p) = *(*A)(unsafe.Pointer(unsafe.SliceData(buf)))
	return buf[unsafe.Sizeof(a):], nil
}

// appendWord copies eight bytes that need not be aligned.
func appendWord(buf []byte, p unsafe.Pointer) []byte {
	return binary.NativeEndian.AppendUint64(buf, binary.NativeEndian.Uint64((*[8]byte)(p)[:]))
}

func readWord(buf []byte, p unsafe.Pointer) {
	binary.NativeEndian.PutUint64((*[8]byte)(p)[:], binary.NativeEndian.Uint64(buf))
}

// appendLen writes a length or count.
func appendLen(buf []byte, n int) []byte {
	if n < 0x80 {
		return append(buf, byte(n))
	}
	return binary.AppendUvarint(buf, uint64(n))
}

// readLen reads a length or count. Its caller compares it with what is left (I3).
func readLen(buf []byte) (n uint64, rest []byte, err error) {
	if len(buf) > 0 && buf[0] < 0x80 {
		return uint64(buf[0]), buf[1:], nil
	}
	n, k := binary.Uvarint(buf)
	if k <= 0 {
		return 0, nil, damaged("a length is cut off or too large")
	}
	return n, buf[k:], nil
}

// fits bounds a count of elements, each stored in at least min bytes, by what is left.
func fits(n uint64, min int, buf []byte) error {
	hi, need := bits.Mul64(n, uint64(min))
	if hi != 0 || need > uint64(len(buf)) || n > math.MaxInt {
		return damaged("%d elements of at least %d bytes, and %d bytes left", n, min, len(buf))
	}
	return nil
}

func damaged(format string, a ...any) error {
	return fmt.Errorf("%w: %s", ErrDamaged, fmt.Sprintf(format, a...))
}

func short(need uintptr, buf []byte) error {
	return damaged("%d bytes needed, %d left", need, len(buf))
}
