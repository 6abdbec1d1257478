package codec

import (
	"bytes"
	"reflect"
	"slices"
	"unsafe"
)

// mapRoom bounds the entries a map is made with room for; a larger one grows while it is read.
const mapRoom = 1 << 12

// mapEntry is where a stored entry lies in a scratch slice.
type mapEntry struct{ from, value, to int }

// mapPlan stores 0 for nil, or the number of entries plus one and the entries in the order of their keys' bytes (I2). Maps
// are the one kind that needs reflection for every value.
func (c *compiler) mapPlan(t reflect.Type, path string) (*plan, error) {
	key, err := c.plan(t.Key(), path+"[key]")
	if err != nil {
		return nil, err
	}
	value, err := c.plan(t.Elem(), path+"[]")
	if err != nil {
		return nil, err
	}
	return &plan{size: unsafe.Sizeof(unsafe.Pointer(nil)), min: 1, format: "map[" + key.format + "]" + value.format,
		append: func(buf []byte, p unsafe.Pointer) ([]byte, error) {
			m := reflect.NewAt(t, p).Elem()
			if m.IsNil() {
				return append(buf, 0), nil
			}
			return appendEntries(appendLen(buf, m.Len()+1), m, key, value)
		},
		read: func(buf []byte, p unsafe.Pointer) ([]byte, error) {
			n, buf, err := readLen(buf)
			if err != nil {
				return nil, err
			}
			m := reflect.NewAt(t, p).Elem()
			if n == 0 {
				m.SetZero()
				return buf, nil
			}
			return readEntries(n-1, buf, m, key, value)
		},
	}, nil
}

func appendEntries(buf []byte, m reflect.Value, key, value *plan) (_ []byte, err error) {
	k, v := reflect.New(m.Type().Key()), reflect.New(m.Type().Elem())
	scratch := make([]byte, 0, m.Len()*(key.min+value.min))
	entries := make([]mapEntry, 0, m.Len())
	for iter := m.MapRange(); iter.Next(); {
		k.Elem().SetIterKey(iter)
		v.Elem().SetIterValue(iter)
		e := mapEntry{from: len(scratch)}
		if scratch, err = key.append(scratch, k.UnsafePointer()); err != nil {
			return nil, err
		}
		e.value = len(scratch)
		if scratch, err = value.append(scratch, v.UnsafePointer()); err != nil {
			return nil, err
		}
		e.to = len(scratch)
		entries = append(entries, e)
	}
	slices.SortFunc(entries, func(a, b mapEntry) int { return compareEntries(scratch, a, b) })
	for _, e := range entries {
		buf = append(buf, scratch[e.from:e.to]...)
	}
	return buf, nil
}

func compareEntries(scratch []byte, a, b mapEntry) int {
	if d := bytes.Compare(scratch[a.from:a.value], scratch[b.from:b.value]); d != 0 {
		return d
	}
	return bytes.Compare(scratch[a.value:a.to], scratch[b.value:b.to]) // NaN keys may be equal
}

func readEntries(n uint64, buf []byte, m reflect.Value, key, value *plan) (_ []byte, err error) {
	if err := fits(n, key.min+value.min, buf); err != nil {
		return nil, err
	}
	if key.size == 0 && n > 1 {
		return nil, damaged("%d entries in a map that has one key", n)
	}
	t := m.Type()
	room := min(int(n), mapRoom)
	if t.Key().Size()+t.Elem().Size() > looseFactor*uintptr(key.min+value.min) {
		room = 0
	}
	m.Set(reflect.MakeMapWithSize(t, room))
	k, v := reflect.New(t.Key()), reflect.New(t.Elem())
	for range n {
		if buf, err = key.read(buf, k.UnsafePointer()); err != nil {
			return nil, err
		}
		if buf, err = value.read(buf, v.UnsafePointer()); err != nil {
			return nil, err
		}
		m.SetMapIndex(k.Elem(), v.Elem())
	}
	return buf, nil
}
