package codec

import (
	"encoding/binary"
	"math"
	"reflect"
	"time"
	"unsafe"
)

// littleEndian says whether integers in memory have the byte order of the format.
var littleEndian = binary.NativeEndian.Uint16([]byte{1, 0}) == 1

type integer interface {
	~int | ~int8 | ~int16 | ~int32 | ~int64 | ~uint | ~uint8 | ~uint16 | ~uint32 | ~uint64
}

// scalar builds the plans of booleans and numbers; nil for other kinds. int and uint are stored as 64 bits, so that
// machines of any width read each other's state.
func (c *compiler) scalar(t reflect.Type) *plan {
	switch t.Kind() {
	case reflect.Bool:
		return boolPlan()
	case reflect.Int:
		return integerPlan[int](c, 8, "int64")
	case reflect.Int8:
		return integerPlan[int8](c, 1, "int8")
	case reflect.Int16:
		return integerPlan[int16](c, 2, "int16")
	case reflect.Int32:
		return integerPlan[int32](c, 4, "int32")
	case reflect.Int64:
		return integerPlan[int64](c, 8, "int64")
	case reflect.Uint:
		return integerPlan[uint](c, 8, "uint64")
	case reflect.Uint8:
		return integerPlan[uint8](c, 1, "uint8")
	case reflect.Uint16:
		return integerPlan[uint16](c, 2, "uint16")
	case reflect.Uint32:
		return integerPlan[uint32](c, 4, "uint32")
	case reflect.Uint64:
		return integerPlan[uint64](c, 8, "uint64")
	case reflect.Float32:
		return c.float(4)
	case reflect.Float64:
		return c.float(8)
	case reflect.Complex64:
		return repeat(c.float(4), 2, "complex64")
	case reflect.Complex128:
		return repeat(c.float(8), 2, "complex128")
	}
	return nil
}

// integerPlan stores I in width bytes, little-endian. Fixed width beats a variable one by what a mispredicted branch
// costs, and lets neighbouring fields be copied together.
func integerPlan[I integer](c *compiler, width uintptr, format string) *plan {
	var zero I
	size := unsafe.Sizeof(zero)
	if size == width && littleEndian && !c.portable {
		return rawPlan(size, format)
	}
	return &plan{size: size, min: int(width), format: format,
		append: func(buf []byte, p unsafe.Pointer) ([]byte, error) {
			v := uint64(*(*I)(p))
			for range width {
				buf = append(buf, byte(v))
				v >>= 8
			}
			return buf, nil
		},
		read: func(buf []byte, p unsafe.Pointer) ([]byte, error) {
			if uintptr(len(buf)) < width {
				return nil, short(width, buf)
			}
			var v uint64
			for i := range width {
				v |= uint64(buf[i]) << (8 * i)
			}
			*(*I)(p) = I(v)
			if width > size && uint64(I(v)) != v {
				return nil, damaged("%d does not fit the %d-bit integers of this machine", v, 8*size)
			}
			return buf[width:], nil
		},
	}
}

// float builds the plan of a float of width bytes. In keys -0 is stored as +0, since the two are equal.
func (c *compiler) float(width uintptr) *plan {
	format := "float64"
	bits := integerPlan[uint64]
	if width == 4 {
		format, bits = "float32", integerPlan[uint32]
	}
	p := bits(c, width, format)
	if !c.keys {
		return p
	}
	p.raw = false
	p.append = func(buf []byte, v unsafe.Pointer) ([]byte, error) {
		return binary.LittleEndian.AppendUint64(buf, math.Float64bits(plusZero(*(*float64)(v)))), nil
	}
	if width == 4 {
		p.append = func(buf []byte, v unsafe.Pointer) ([]byte, error) {
			return binary.LittleEndian.AppendUint32(buf, math.Float32bits(plusZero(*(*float32)(v)))), nil
		}
	}
	return p
}

func plusZero[F float32 | float64](f F) F {
	if f == 0 {
		return 0
	}
	return f
}

// boolPlan stores one byte, 0 or 1. It is not raw: no other byte may get into a bool.
func boolPlan() *plan {
	return &plan{size: 1, min: 1, format: "bool",
		append: func(buf []byte, p unsafe.Pointer) ([]byte, error) {
			if *(*bool)(p) {
				return append(buf, 1), nil
			}
			return append(buf, 0), nil
		},
		read: func(buf []byte, p unsafe.Pointer) ([]byte, error) {
			set, rest, err := readFlag(buf)
			*(*bool)(p) = set
			return rest, err
		},
	}
}

func readFlag(buf []byte) (set bool, rest []byte, err error) {
	if len(buf) == 0 {
		return false, nil, short(1, buf)
	}
	if buf[0] > 1 {
		return false, nil, damaged("%d where 0 or 1 is expected", buf[0])
	}
	return buf[0] == 1, buf[1:], nil
}

// stringPlan stores the length and the bytes. What is read shares the buffer.
func stringPlan() *plan {
	return &plan{size: unsafe.Sizeof(""), min: 1, format: "string",
		append: func(buf []byte, p unsafe.Pointer) ([]byte, error) { return appendString(buf, *(*string)(p)), nil },
		read:   readString,
	}
}

func appendString(buf []byte, s string) []byte { return append(appendLen(buf, len(s)), s...) }

func readString(buf []byte, p unsafe.Pointer) ([]byte, error) {
	n, buf, err := readLen(buf)
	if err != nil {
		return nil, err
	}
	if n > uint64(len(buf)) {
		return nil, damaged("a string of %d bytes, and %d left", n, len(buf))
	}
	*(*string)(p) = unsafe.String(unsafe.SliceData(buf), int(n))
	return buf[n:], nil
}

// timePlan stores seconds since 1970 and nanoseconds: every time.Time, the zero one included.
func timePlan() *plan {
	const stored = 12
	return &plan{size: unsafe.Sizeof(time.Time{}), min: stored, format: "time",
		append: func(buf []byte, p unsafe.Pointer) ([]byte, error) {
			t := (*time.Time)(p)
			buf = binary.LittleEndian.AppendUint64(buf, uint64(t.Unix()))
			return binary.LittleEndian.AppendUint32(buf, uint32(t.Nanosecond())), nil
		},
		read: func(buf []byte, p unsafe.Pointer) ([]byte, error) {
			if len(buf) < stored {
				return nil, short(stored, buf)
			}
			sec, nsec := int64(binary.LittleEndian.Uint64(buf)), binary.LittleEndian.Uint32(buf[8:])
			if nsec >= uint32(time.Second) {
				return nil, damaged("%d nanoseconds in a second", nsec)
			}
			*(*time.Time)(p) = time.Unix(sec, int64(nsec)).UTC()
			return buf[stored:], nil
		},
	}
}
