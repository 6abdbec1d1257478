package codec

import (
	"reflect"
	"strconv"
	"unsafe"
)

// sliceHeader is a slice of whatever type.
type sliceHeader struct {
	data     unsafe.Pointer
	len, cap int
}

// empty is what slices without elements point to: not nil, and not into a buffer.
var empty uint64

func (c *compiler) arrayPlan(t reflect.Type, path string) (*plan, error) {
	elem, err := c.plan(t.Elem(), path+"[]")
	if err != nil {
		return nil, err
	}
	return repeat(elem, t.Len(), "["+strconv.Itoa(t.Len())+"]"+elem.format), nil
}

// repeat stores n values of elem that lie side by side.
func repeat(elem *plan, n int, format string) *plan {
	size := elem.size * uintptr(n)
	if elem.raw || n == 0 || elem.size == 0 {
		return rawPlan(size, format)
	}
	return &plan{size: size, min: elem.min * n, format: format,
		append: func(buf []byte, p unsafe.Pointer) ([]byte, error) { return appendAll(elem, n, buf, p) },
		read:   func(buf []byte, p unsafe.Pointer) ([]byte, error) { return readAll(elem, n, buf, p) },
	}
}

func appendAll(elem *plan, n int, buf []byte, p unsafe.Pointer) (_ []byte, err error) {
	for i := range n {
		if buf, err = elem.append(buf, unsafe.Add(p, uintptr(i)*elem.size)); err != nil {
			return nil, err
		}
	}
	return buf, nil
}

func readAll(elem *plan, n int, buf []byte, p unsafe.Pointer) (_ []byte, err error) {
	for i := range n {
		if buf, err = elem.read(buf, unsafe.Add(p, uintptr(i)*elem.size)); err != nil {
			return nil, err
		}
	}
	return buf, nil
}

// slicePlan stores 0 for nil, or the length plus one and the elements.
func (c *compiler) slicePlan(t reflect.Type, path string) (*plan, error) {
	elem, err := c.plan(t.Elem(), path+"[]")
	if err != nil {
		return nil, err
	}
	p := &plan{size: unsafe.Sizeof(sliceHeader{}), min: 1, format: "[]" + elem.format}
	p.append = func(buf []byte, v unsafe.Pointer) ([]byte, error) {
		h := *(*sliceHeader)(v)
		if h.data == nil {
			return append(buf, 0), nil
		}
		buf = appendLen(buf, h.len+1)
		switch {
		case elem.raw:
			return append(buf, unsafe.Slice((*byte)(h.data), uintptr(h.len)*elem.size)...), nil
		case elem.size == 0:
			return buf, nil
		}
		return appendAll(elem, h.len, buf, h.data)
	}
	fill := elements(t, elem)
	p.read = func(buf []byte, v unsafe.Pointer) ([]byte, error) {
		n, buf, err := readLen(buf)
		switch {
		case err != nil:
			return nil, err
		case n == 0:
			*(*sliceHeader)(v) = sliceHeader{}
			return buf, nil
		}
		if err := fits(n-1, elem.min, buf); err != nil {
			return nil, err
		}
		if count := int(n - 1); count > 0 && elem.size > 0 {
			return fill(count, buf, (*sliceHeader)(v))
		}
		*(*sliceHeader)(v) = sliceHeader{unsafe.Pointer(&empty), int(n - 1), int(n - 1)}
		return buf, nil
	}
	return p, nil
}

// elements returns the function that reads n > 0 elements of some bytes, all of which fit the input, into *h.
func elements(t reflect.Type, elem *plan) func(n int, buf []byte, h *sliceHeader) ([]byte, error) {
	switch {
	case elem.raw && elem.size == 1: // shares the buffer
		return func(n int, buf []byte, h *sliceHeader) ([]byte, error) {
			*h = sliceHeader{unsafe.Pointer(unsafe.SliceData(buf)), n, n}
			return buf[n:], nil
		}
	case elem.raw:
		return func(n int, buf []byte, h *sliceHeader) ([]byte, error) {
			size := elem.size * uintptr(n)
			data := unsafe.Pointer(unsafe.SliceData(words(size)))
			copy(unsafe.Slice((*byte)(data), size), buf)
			*h = sliceHeader{data, n, n}
			return buf[size:], nil
		}
	case elem.size > looseFactor*uintptr(elem.min):
		return func(n int, buf []byte, h *sliceHeader) ([]byte, error) { return grow(t, elem, n, buf, h) }
	}
	return func(n int, buf []byte, h *sliceHeader) ([]byte, error) {
		*h = sliceHeader{}
		s := reflect.NewAt(t, unsafe.Pointer(h)).Elem() // the collector must know where pointers are in the memory
		s.Grow(n)
		s.SetLen(n)
		return readAll(elem, n, buf, h.data)
	}
}

// words makes memory for size bytes without pointers, aligned for any type.
func words(size uintptr) []uint64 { return make([]uint64, (size+7)/8) }

// grow reads elements that are much larger in memory than stored, so that a damaged count allocates nothing by itself.
func grow(t reflect.Type, elem *plan, n int, buf []byte, h *sliceHeader) (_ []byte, err error) {
	*h = sliceHeader{}
	s := reflect.NewAt(t, unsafe.Pointer(h)).Elem()
	for i := range n {
		s.Grow(1)
		s.SetLen(i + 1)
		if buf, err = elem.read(buf, s.Index(i).Addr().UnsafePointer()); err != nil {
			return nil, err
		}
	}
	return buf, nil
}

// pointerPlan stores whether there is a value, and the value.
func (c *compiler) pointerPlan(t reflect.Type, path string) (*plan, error) {
	elem, err := c.plan(t.Elem(), path)
	if err != nil {
		return nil, err
	}
	target := t.Elem()
	return &plan{size: unsafe.Sizeof(unsafe.Pointer(nil)), min: 1, format: "*" + elem.format,
		append: func(buf []byte, p unsafe.Pointer) ([]byte, error) {
			to := *(*unsafe.Pointer)(p)
			if to == nil {
				return append(buf, 0), nil
			}
			return elem.append(append(buf, 1), to)
		},
		read: func(buf []byte, p unsafe.Pointer) ([]byte, error) {
			set, buf, err := readFlag(buf)
			if err != nil || !set {
				*(*unsafe.Pointer)(p) = nil
				return buf, err
			}
			if len(buf) < elem.min {
				return nil, short(uintptr(elem.min), buf)
			}
			to := reflect.New(target).UnsafePointer()
			*(*unsafe.Pointer)(p) = to
			return elem.read(buf, to)
		},
	}, nil
}
