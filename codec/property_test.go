package codec

import (
	"bytes"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/weirstream/weir/flow"
)

// I1 and I2 for values that rapid makes up.
func TestRoundTripProperty(t *testing.T) {
	t.Run("bool", property[bool])
	t.Run("int", property[int])
	t.Run("uint8", property[uint8])
	t.Run("string", property[string])
	t.Run("bytes", property[[]byte])
	t.Run("strings", property[[]string])
	t.Run("padded", property[padded])
	t.Run("paddeds", property[[]padded])
	t.Run("wide", property[wide])
	t.Run("lines", property[[]line])
	t.Run("nested slices", property[[][]int16])
	t.Run("map", property[map[string]int64])
	t.Run("map of maps", property[map[int8]map[string][]string])
	t.Run("map of structs", property[map[point]wide])
	t.Run("pointers", property[[]*line])
	t.Run("arrays", property[[3]struct {
		A [2]bool
		B map[bool]string
	}])
	t.Run("mixed", property[struct {
		A int8
		B []bool
		C *map[uint16][]*string
		D [2][]point
		E **int32
	}])
	t.Run("times", propertyTimes)
}

func property[T any](t *testing.T) {
	compiled, packed := MustFor[T](), Msgpack[T]()
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.Make[T]().Draw(t, "v")
		checkProperty(t, compiled, v, reflect.DeepEqual)
		checkProperty(t, packed, v, func(a, b any) bool { return sameButNil(reflect.ValueOf(a), reflect.ValueOf(b)) })
	})
}

func checkProperty[T any](t *rapid.T, c flow.Codec[T], v T, same func(a, b any) bool) {
	b, err := c.Append(nil, &v)
	if err != nil {
		t.Fatal(err)
	}
	var got T
	rest, err := c.Read(append(b[:len(b):len(b)], 1, 2, 3), &got)
	if err != nil || !bytes.Equal(rest, []byte{1, 2, 3}) {
		t.Fatalf("%v; rest % x", err, rest)
	}
	if !same(got, v) {
		t.Fatalf("read %+v", got)
	}
	again, err := c.Append(nil, &got)
	if err != nil || !bytes.Equal(again, b) {
		t.Fatalf("first % x\nthen  % x, %v", b, again, err)
	}
	cut := rapid.IntRange(0, len(b)).Draw(t, "cut")
	if rest, err := c.Read(b[:cut], &got); err == nil && cut < len(b) {
		t.Fatalf("%d of %d bytes are read as a value; rest % x", cut, len(b), rest)
	}
}

// sameButNil is reflect.DeepEqual, but a pointer to a nil is equal to nil: MessagePack has one nil.
func sameButNil(a, b reflect.Value) bool {
	switch a.Kind() {
	case reflect.Pointer:
		return isNil(a) == isNil(b) && (isNil(a) || sameButNil(a.Elem(), b.Elem()))
	case reflect.Struct:
		for i := range a.NumField() {
			if !sameButNil(a.Field(i), b.Field(i)) {
				return false
			}
		}
		return true
	case reflect.Slice, reflect.Array:
		if a.Len() != b.Len() || a.Kind() == reflect.Slice && a.IsNil() != b.IsNil() {
			return false
		}
		for i := range a.Len() {
			if !sameButNil(a.Index(i), b.Index(i)) {
				return false
			}
		}
		return true
	case reflect.Map:
		if a.Len() != b.Len() || a.IsNil() != b.IsNil() {
			return false
		}
		for _, k := range a.MapKeys() {
			if v := b.MapIndex(k); !v.IsValid() || !sameButNil(a.MapIndex(k), v) {
				return false
			}
		}
		return true
	}
	return reflect.DeepEqual(a.Interface(), b.Interface())
}

func isNil(p reflect.Value) bool {
	if p.IsNil() {
		return true
	}
	switch e := p.Elem(); e.Kind() {
	case reflect.Pointer:
		return isNil(e)
	case reflect.Map, reflect.Slice:
		return e.IsNil()
	}
	return false
}

func propertyTimes(t *testing.T) {
	c := MustFor[map[int8]time.Time]()
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.MapOf(rapid.Int8(), rapid.Custom(func(t *rapid.T) time.Time {
			return time.Unix(rapid.Int64().Draw(t, "sec"), rapid.Int64Range(0, 999_999_999).Draw(t, "nsec")).UTC()
		})).Draw(t, "v")
		checkProperty(t, c, v, reflect.DeepEqual)
	})
}

// Keys: hashes, order and bytes agree with == (key.go).
func TestKeyProperty(t *testing.T) {
	t.Run("bool", keyProperty[bool])
	t.Run("int8", keyProperty[int8])
	t.Run("int", keyProperty[int])
	t.Run("uint16", keyProperty[uint16])
	t.Run("userID", keyProperty[userID])
	t.Run("string", keyProperty[string])
	t.Run("country", keyProperty[country])
	t.Run("float32", keyProperty[float32])
	t.Run("float64", keyProperty[float64])
	t.Run("array", keyProperty[[4]byte])
	t.Run("point", keyProperty[point])
	t.Run("padded", keyProperty[padded])
	t.Run("composite", keyProperty[struct {
		Repo string
		N    int
	}])
	t.Run("float in it", keyProperty[struct {
		F [2]float32
		S [2]string
	}])
}

func keyProperty[K comparable](t *testing.T) {
	k, err := KeyFor[K]()
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		keys := rapid.SliceOfN(rapid.Make[K](), 3, 6).Draw(t, "keys")
		keys = append(keys, keys[0])
		out := make([]uint64, len(keys))
		k.HashAll(keys, out)
		for i := range keys {
			a := &keys[i]
			if h := k.Hash(a); h != out[i] {
				t.Fatalf("Hash(%v) = %#x, HashAll %#x", *a, h, out[i])
			}
			ab, err := k.Codec.Append(nil, a)
			if err != nil {
				t.Fatal(err)
			}
			var back K
			if rest, err := k.Codec.Read(ab, &back); err != nil || len(rest) > 0 || back != *a {
				t.Fatalf("%v is read as %v, %v", *a, back, err)
			}
			for j := range keys {
				b := &keys[j]
				bb, err := k.Codec.Append(nil, b)
				if err != nil {
					t.Fatal(err)
				}
				same, cmp := *a == *b, k.Compare(a, b)
				if same != bytes.Equal(ab, bb) || same != (cmp == 0) || same && out[i] != out[j] || cmp != -k.Compare(b, a) {
					t.Fatalf("%v and %v: equal %v, bytes % x and % x, Compare %d and %d", *a, *b, same, ab, bb, cmp, k.Compare(b, a))
				}
				for l := range keys {
					if cmp < 0 && k.Compare(b, &keys[l]) < 0 && k.Compare(a, &keys[l]) >= 0 {
						t.Fatalf("order of %v, %v, %v", *a, *b, keys[l])
					}
				}
			}
		}
	})
}
