package codec

import (
	"encoding"
	"reflect"
	"unsafe"
)

var (
	marshalerType   = reflect.TypeFor[encoding.BinaryMarshaler]()
	unmarshalerType = reflect.TypeFor[encoding.BinaryUnmarshaler]()
)

// marshals reports whether t has a binary form of its own making. A method that comes from an embedded field does not
// count: it would leave out the fields beside.
func marshals(t reflect.Type) bool {
	has := func(t reflect.Type) bool {
		if t.Kind() != reflect.Interface && t.Kind() != reflect.Pointer {
			t = reflect.PointerTo(t)
		}
		return t.Implements(marshalerType) || t.Implements(unmarshalerType)
	}
	if t.Kind() == reflect.Interface || t.Kind() == reflect.Pointer {
		return false
	}
	if p := reflect.PointerTo(t); !p.Implements(marshalerType) || !p.Implements(unmarshalerType) {
		return false
	}
	if t.Kind() == reflect.Struct {
		for i := range t.NumField() {
			if f := t.Field(i); f.Anonymous && has(f.Type) {
				return false
			}
		}
	}
	return true
}

// marshalerPlan stores the length and the bytes of MarshalBinary.
func marshalerPlan(t reflect.Type) *plan {
	return &plan{size: t.Size(), min: 1, format: "binary(" + t.PkgPath() + "." + t.Name() + ")",
		append: func(buf []byte, p unsafe.Pointer) ([]byte, error) {
			b, err := reflect.NewAt(t, p).Interface().(encoding.BinaryMarshaler).MarshalBinary()
			if err != nil {
				return nil, err
			}
			return append(appendLen(buf, len(b)), b...), nil
		},
		read: func(buf []byte, p unsafe.Pointer) ([]byte, error) {
			n, buf, err := readLen(buf)
			if err != nil {
				return nil, err
			}
			if n > uint64(len(buf)) {
				return nil, damaged("%d bytes of a %v, and %d left", n, t, len(buf))
			}
			v := reflect.NewAt(t, p)
			v.Elem().SetZero()
			if err := v.Interface().(encoding.BinaryUnmarshaler).UnmarshalBinary(buf[:n:n]); err != nil {
				return nil, damaged("%v: %v", t, err)
			}
			return buf[n:], nil
		},
	}
}
