package codec

import (
	"bytes"
	"cmp"
	"fmt"
	"reflect"
	"strings"
	"unsafe"

	"github.com/weirstream/weir/flow"
)

// Key is everything that keyed operators need to know of a key type. Its functions may be called by many goroutines and
// allocate nothing, but for composite keys with strings whose encoded form is longer than keyRoom.
type Key[K comparable] struct {
	// Codec writes equal keys as equal bytes, and different keys as different ones.
	Codec flow.Codec[K]
	// Hash is frozen, since state on disk is found by it (I4): booleans and integers of any width are widened to 64 bits,
	// with their sign if they have one, and hashed by flow.HashUint64; strings by flow.HashString; all others by
	// flow.HashBytes of their encoded form.
	Hash func(k *K) uint64
	// HashAll sets out[i] to the hash of keys[i]. out is at least as long as keys.
	HashAll func(keys []K, out []uint64)
	// Compare is a total order: numbers by value, strings by their bytes, all others by the bytes of their encoded form.
	// It is 0 exactly for equal keys, and for two NaNs.
	Compare func(a, b *K) int
	// Inline says that K has no pointers, so that tables may hold keys in their slots.
	Inline bool
}

// keyRoom is the length in bytes of encoded keys up to which hashing and comparing need no memory but the stack.
const keyRoom = 128

// KeyFor returns the Key of K. It refuses what cannot be a key: interfaces, pointers and channels, wherever they are in K,
// and time.Time, whose == looks at the zone; the error names the path and says what to use instead.
//
// In floats -0 and +0 are the same key. NaN is not equal to itself, so no state is ever found again under it: filter it out
// before keying. Types that hold a unique.Handle (netip.Addr) are stored by their MarshalBinary, which must not fail for
// any value.
func KeyFor[K comparable]() (Key[K], error) {
	c, err := compileFor[K](&compiler{keys: true})
	if err != nil {
		return Key[K]{}, err
	}
	t := reflect.TypeFor[K]()
	k := Key[K]{Codec: c, Inline: pointerFree(t)}
	switch t.Kind() {
	case reflect.Bool:
		boolKey(&k)
	case reflect.Int:
		integerKey[int](&k)
	case reflect.Int8:
		integerKey[int8](&k)
	case reflect.Int16:
		integerKey[int16](&k)
	case reflect.Int32:
		integerKey[int32](&k)
	case reflect.Int64:
		integerKey[int64](&k)
	case reflect.Uint:
		integerKey[uint](&k)
	case reflect.Uint8:
		integerKey[uint8](&k)
	case reflect.Uint16:
		integerKey[uint16](&k)
	case reflect.Uint32:
		integerKey[uint32](&k)
	case reflect.Uint64:
		integerKey[uint64](&k)
	case reflect.String:
		stringKey(&k)
	case reflect.Float32:
		encodedKey(&k, c.root)
		k.Compare = func(a, b *K) int { return cmp.Compare(*punned[float32](a), *punned[float32](b)) }
	case reflect.Float64:
		encodedKey(&k, c.root)
		k.Compare = func(a, b *K) int { return cmp.Compare(*punned[float64](a), *punned[float64](b)) }
	default:
		encodedKey(&k, c.root)
	}
	return k, nil
}

// punned is k as what it is below its name.
func punned[U, K any](k *K) *U { return (*U)(unsafe.Pointer(k)) }

func punnedAll[U, K any](keys []K) []U {
	return unsafe.Slice((*U)(unsafe.Pointer(unsafe.SliceData(keys))), len(keys))
}

func boolKey[K comparable](k *Key[K]) {
	widen := func(b bool) uint64 {
		if b {
			return 1
		}
		return 0
	}
	k.Hash = func(v *K) uint64 { return flow.HashUint64(widen(*punned[bool](v))) }
	k.HashAll = func(keys []K, out []uint64) {
		for i, v := range punnedAll[bool](keys) {
			out[i] = flow.HashUint64(widen(v))
		}
	}
	k.Compare = func(a, b *K) int { return cmp.Compare(widen(*punned[bool](a)), widen(*punned[bool](b))) }
}

func integerKey[I integer, K comparable](k *Key[K]) {
	k.Hash = func(v *K) uint64 { return flow.HashUint64(uint64(*punned[I](v))) }
	k.HashAll = func(keys []K, out []uint64) {
		in := punnedAll[I](keys)
		out = out[:len(in)]
		for i, v := range in {
			out[i] = flow.HashUint64(uint64(v))
		}
	}
	k.Compare = func(a, b *K) int { return cmp.Compare(*punned[I](a), *punned[I](b)) }
}

func stringKey[K comparable](k *Key[K]) {
	k.Hash = func(v *K) uint64 { return flow.HashString(*punned[string](v)) }
	k.HashAll = func(keys []K, out []uint64) {
		in := punnedAll[string](keys)
		out = out[:len(in)]
		for i, v := range in {
			out[i] = flow.HashString(v)
		}
	}
	k.Compare = func(a, b *K) int { return strings.Compare(*punned[string](a), *punned[string](b)) }
}

// encodedKey hashes and compares by encoded bytes.
func encodedKey[K comparable](k *Key[K], p *plan) {
	if p.raw {
		rawKey(k, p.size)
		return
	}
	k.Hash = func(v *K) uint64 {
		var room [keyRoom]byte
		return flow.HashBytes(encodeKey(p, hidden(&room), unsafe.Pointer(v)))
	}
	k.HashAll = func(keys []K, out []uint64) {
		var room [keyRoom]byte
		buf := hidden(&room)
		for i := range keys {
			buf = encodeKey(p, buf, unsafe.Pointer(&keys[i]))
			out[i] = flow.HashBytes(buf)
		}
	}
	k.Compare = func(a, b *K) int {
		var roomA, roomB [keyRoom]byte
		return bytes.Compare(encodeKey(p, hidden(&roomA), unsafe.Pointer(a)), encodeKey(p, hidden(&roomB), unsafe.Pointer(b)))
	}
}

// rawKey is encodedKey for keys whose encoded form lies in memory already.
func rawKey[K comparable](k *Key[K], size uintptr) {
	encoded := func(v *K) []byte { return unsafe.Slice(punned[byte](v), size) }
	k.Hash = func(v *K) uint64 { return flow.HashBytes(encoded(v)) }
	k.HashAll = func(keys []K, out []uint64) {
		for i := range keys {
			out[i] = flow.HashBytes(encoded(&keys[i]))
		}
	}
	k.Compare = func(a, b *K) int { return bytes.Compare(encoded(a), encoded(b)) }
}

func encodeKey(p *plan, buf []byte, v unsafe.Pointer) []byte {
	buf, err := p.append(buf[:0], v)
	if err != nil { // only a MarshalBinary can, against its promise
		panic(fmt.Sprintf("codec: a key cannot be encoded: %v", err))
	}
	return buf
}

// hidden is room as a slice of which the compiler does not see that it refers to room, so that room stays on the stack
// although functions it does not know are given the slice. That is right as long as they keep none of it: plans do not,
// and methods of users never see it.
func hidden(room *[keyRoom]byte) []byte {
	p := uintptr(unsafe.Pointer(room))
	return unsafe.Slice(*(**byte)(unsafe.Pointer(&p)), keyRoom)
}
