package codec

import (
	"bytes"
	"fmt"
	"reflect"

	"github.com/vmihailenco/msgpack/v5"

	"github.com/weirstream/weir/flow"
)

// packed is the MessagePack codec of T.
type packed[T any] struct {
	name   string
	sorted bool // no map whose order could reach the output
}

// Msgpack returns a codec of T in MessagePack: for types that For refuses, for what others read, and for state whose type
// will gain fields, since fields are found by their names. It is several times slower than For and allocates.
//
// Only exported fields are stored. Numbers in an interface are read as int64, uint64 or float64. Values must not refer to
// themselves.
func Msgpack[T any]() flow.Codec[T] {
	t := reflect.TypeFor[T]()
	return packed[T]{name: t.String(), sorted: !hasMap(t, nil)}
}

// sink is the writer behind an encoder: it appends.
type sink struct{ buf []byte }

func (s *sink) Write(b []byte) (int, error) {
	s.buf = append(s.buf, b...)
	return len(b), nil
}

func (s *sink) WriteByte(b byte) error {
	s.buf = append(s.buf, b)
	return nil
}

// Append implements flow.Codec. Entries of maps are written in the order of their keys' bytes (I2).
func (c packed[T]) Append(buf []byte, v *T) ([]byte, error) {
	s := &sink{buf: buf}
	enc := msgpack.GetEncoder()
	defer msgpack.PutEncoder(enc)
	enc.Reset(s)
	enc.UseCompactInts(true)
	if err := enc.Encode(v); err != nil {
		return buf, at(c.name, err)
	}
	if c.sorted {
		return s.buf, nil
	}
	out, _, err := sortMaps(buf, s.buf[len(buf):], 0)
	if err != nil {
		return buf, at(c.name, err)
	}
	return out, nil
}

// Read implements flow.Codec. Nothing in *v shares memory with buf.
func (c packed[T]) Read(buf []byte, v *T) (rest []byte, err error) {
	rest, err = skipValue(buf, 0)
	if err != nil {
		return buf, at(c.name, err)
	}
	defer func() { // the bytes are MessagePack, but may be that of something that T's own decoding did not expect
		if r := recover(); r != nil {
			rest, err = buf, at(c.name, damaged("%v", r))
		}
	}()
	dec := msgpack.GetDecoder()
	defer msgpack.PutDecoder(dec)
	dec.Reset(bytes.NewReader(buf[:len(buf)-len(rest)]))
	dec.UseLooseInterfaceDecoding(true)
	var fresh T
	if err := dec.Decode(&fresh); err != nil {
		return buf, at(c.name, fmt.Errorf("%w: %w", ErrDamaged, err))
	}
	*v = fresh
	return rest, nil
}

// Fingerprint implements flow.Codec. It names the type and not its fields: MessagePack reads a struct that has gained or
// lost some.
func (c packed[T]) Fingerprint() string { return shorten("m1:" + c.name) }

// hasMap reports whether a map may be in a t: also whatever an interface or a method of t's own may write.
func hasMap(t reflect.Type, seen []reflect.Type) bool {
	for _, s := range seen {
		if s == t {
			return false
		}
	}
	seen = append(seen, t)
	switch t.Kind() {
	case reflect.Map, reflect.Interface:
		return true
	case reflect.Array, reflect.Slice, reflect.Pointer:
		return hasMap(t.Elem(), seen)
	case reflect.Struct:
		for i := range t.NumField() {
			if hasMap(t.Field(i).Type, seen) {
				return true
			}
		}
	}
	return reflect.PointerTo(t).Implements(reflect.TypeFor[msgpack.CustomEncoder]()) ||
		reflect.PointerTo(t).Implements(reflect.TypeFor[msgpack.Marshaler]())
}
