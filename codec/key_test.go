package codec

import (
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/weirstream/weir/flow"
)

type issue struct {
	Repo string
	N    int
}

// Hashes of keys are frozen: state on disk is found by them (I4 of flow).
func TestKeyHashFrozen(t *testing.T) {
	frozen(t, int64(42), 0x449b5bf8f9592c59)
	frozen(t, int64(-1), 0xe61bc1ef9113cded)
	frozen(t, int8(-1), 0xe61bc1ef9113cded)
	frozen(t, uint8(255), 0xb8e4d09541ccf0be)
	frozen(t, int(42), 0x449b5bf8f9592c59)
	frozen(t, uint32(42), 0x449b5bf8f9592c59)
	frozen(t, userID(42), 0x449b5bf8f9592c59)
	frozen(t, flow.Time(42), 0x449b5bf8f9592c59)
	frozen(t, true, 0xaa8a9d080f382720)
	frozen(t, uint64(1), 0xaa8a9d080f382720)
	frozen(t, "user-123", 0xc0f99b715d0630b6)
	frozen(t, country("user-123"), 0xc0f99b715d0630b6)
	frozen(t, issue{"golang/go", 12345}, 0x92c09a495107dcb3)
	frozen(t, point{1, 2}, 0xb8c45ea16cb8b34)
	frozen(t, padded{1, 2, 3, true, 4}, 0x6cbc6c9c42e2473e)
	frozen(t, 1.5, 0x455b3061f987d727)
	frozen(t, float32(1.5), 0xf8df40dc61f7ce27)
	frozen(t, [4]byte{1, 2, 3, 4}, 0x2d918c2d42392d0e)
	frozen(t, netip.MustParseAddr("10.0.0.1"), 0xb14ab00a8f9cc6e6)
	frozen(t, struct{}{}, 0)
}

func frozen[K comparable](t *testing.T, key K, hash uint64) {
	t.Helper()
	k, err := KeyFor[K]()
	if err != nil {
		t.Error(err)
		return
	}
	out := make([]uint64, 2)
	k.HashAll([]K{key}, out)
	if got := k.Hash(&key); got != hash || out[0] != hash || out[1] != 0 {
		t.Errorf("%T %v: Hash %#x, HashAll %#x, frozen as %#x", key, key, got, out, hash)
	}
	if got := roundTrip(t, k.Codec, key); got != key || k.Compare(&got, &key) != 0 {
		t.Errorf("%T %v is read as %v", key, key, got)
	}
}

func TestHashOfIntegersDoesNotDependOnWidth(t *testing.T) {
	if a, b := hashOf(t, int8(-3)), hashOf(t, int64(-3)); a != b || a != flow.HashUint64(uint64(math.MaxUint64-2)) {
		t.Errorf("int8 %#x, int64 %#x", a, b)
	}
	if a, b := hashOf(t, uint8(253)), hashOf(t, uint64(253)); a != b || a != flow.HashUint64(253) {
		t.Errorf("uint8 %#x, uint64 %#x", a, b)
	}
	if hashOf(t, "k") != flow.HashString("k") {
		t.Error("strings are not hashed by HashString")
	}
}

func hashOf[K comparable](t *testing.T, key K) uint64 {
	t.Helper()
	k, err := KeyFor[K]()
	if err != nil {
		t.Fatal(err)
	}
	return k.Hash(&key)
}

func TestKeysInOrder(t *testing.T) {
	inOrder[int64](t, math.MinInt64, -1, 0, 1, math.MaxInt64)
	inOrder[uint64](t, 0, 1, math.MaxUint64)
	inOrder[int8](t, -128, -1, 0, 127)
	inOrder(t, "", "a", "a\x00", "ab", "b", "\xff")
	inOrder(t, math.NaN(), math.Inf(-1), -1, 0, math.SmallestNonzeroFloat64, 1, math.Inf(1))
	inOrder(t, false, true)
	inOrder(t, point{1, 2}, point{1, 3}, point{2, 0})
	inOrder(t, issue{"a", 1}, issue{"a", 2}, issue{"b", 1})
}

func inOrder[K comparable](t *testing.T, keys ...K) {
	t.Helper()
	k, err := KeyFor[K]()
	if err != nil {
		t.Error(err)
		return
	}
	got := slices.Clone(keys)
	slices.Reverse(got)
	slices.SortFunc(got, func(a, b K) int { return k.Compare(&a, &b) })
	if fmt.Sprint(got) != fmt.Sprint(keys) {
		t.Errorf("sorted %v, want %v", got, keys)
	}
}

func TestZeroesAreOneKey(t *testing.T) {
	minus := math.Copysign(0, -1)
	sameKey(t, minus, 0)
	sameKey(t, float32(minus), 0)
	sameKey(t, complex(minus, minus), 0)
	sameKey(t, struct {
		S string
		F [2]float32
	}{"", [2]float32{float32(minus), 1}}, struct {
		S string
		F [2]float32
	}{"", [2]float32{0, 1}})
}

func sameKey[K comparable](t *testing.T, a, b K) {
	t.Helper()
	k, err := KeyFor[K]()
	if err != nil {
		t.Error(err)
		return
	}
	ab, errA := k.Codec.Append(nil, &a)
	bb, errB := k.Codec.Append(nil, &b)
	if a != b || errA != nil || errB != nil || string(ab) != string(bb) || k.Hash(&a) != k.Hash(&b) || k.Compare(&a, &b) != 0 {
		t.Errorf("%v and %v are two keys: % x and % x", a, b, ab, bb)
	}
}

// What lies in the padding of a key is not part of it.
func TestPaddingIsNotHashed(t *testing.T) {
	k, err := KeyFor[padded]()
	if err != nil {
		t.Fatal(err)
	}
	a, b := padded{1, 2, 3, true, 4}, padded{}
	for i := range *punned[[paddedSize]byte](&b) {
		punned[[paddedSize]byte](&b)[i] = 0xaa
	}
	b.A, b.B, b.C, b.D, b.E = 1, 2, 3, true, 4
	if a != b || k.Hash(&a) != k.Hash(&b) || k.Compare(&a, &b) != 0 {
		t.Error("padding is part of the key")
	}
}

const paddedSize = unsafe.Sizeof(padded{})

func TestInlineKeys(t *testing.T) {
	for name, c := range map[string][2]bool{
		"int64":  {inline[int64](t), true},
		"point":  {inline[point](t), true},
		"uuid":   {inline[[16]byte](t), true},
		"string": {inline[string](t), false},
		"issue":  {inline[issue](t), false},
		"addr":   {inline[netip.Addr](t), false},
	} {
		if c[0] != c[1] {
			t.Errorf("%s: Inline %v", name, c[0])
		}
	}
}

func inline[K comparable](t *testing.T) bool {
	k, err := KeyFor[K]()
	if err != nil {
		t.Fatal(err)
	}
	return k.Inline
}

func TestKeysRefused(t *testing.T) {
	type nested struct {
		Repo string
		At   struct{ P *int }
	}
	for _, c := range []struct {
		err  error
		want string
	}{
		{keyRefusal[any](), "interface {}: interface {} cannot be part of a key"},
		{keyRefusal[*int](), "*int cannot be part of a key"},
		{keyRefusal[chan int](), "chan int cannot be part of a key"},
		{keyRefusal[nested](), "nested.At.P: *int cannot be part of a key: equal keys must have equal bytes in every process; use integers, strings"},
		{keyRefusal[time.Time](), "time.Time cannot be a key: the same instant in two zones is not equal; use flow.TimeOf(t)"},
		{keyRefusal[struct{ T time.Time }](), ".T: time.Time cannot be a key"},
		{keyRefusal[[2]error](), "[]: error cannot be part of a key"},
		{keyRefusal[temperature](), "temperature.unit: interface {} cannot be part of a key"},
	} {
		if c.err == nil || !strings.Contains(c.err.Error(), c.want) {
			t.Errorf("%v, want %s", c.err, c.want)
		}
	}
}

func keyRefusal[K comparable]() error {
	_, err := KeyFor[K]()
	return err
}

func TestHashingAllocatesNothing(t *testing.T) {
	noAllocs(t, int64(5))
	noAllocs(t, "user-123")
	noAllocs(t, issue{"golang/go", 12345})
	noAllocs(t, padded{1, 2, 3, true, 4})
	noAllocs(t, 1.5)
	noAllocs(t, struct{ A, B [2]string }{[2]string{"some", "strings"}, [2]string{"in", "arrays"}})
}

func noAllocs[K comparable](t *testing.T, key K) {
	t.Helper()
	k, err := KeyFor[K]()
	if err != nil {
		t.Error(err)
		return
	}
	other, keys, out, sum := key, []K{key, key}, make([]uint64, 2), uint64(0)
	if n := testing.AllocsPerRun(100, func() {
		sum += k.Hash(&key) + uint64(k.Compare(&key, &other))
		k.HashAll(keys, out)
	}); n != 0 {
		t.Errorf("%T: %v allocations", key, n)
	}
	if sum == 0 {
		t.Errorf("%T: no hash", key)
	}
}

func TestLongKeys(t *testing.T) {
	long := issue{strings.Repeat("r", 3*keyRoom), 1}
	longer := issue{strings.Repeat("r", 3*keyRoom), 2}
	k, err := KeyFor[issue]()
	if err != nil {
		t.Fatal(err)
	}
	b, err := k.Codec.Append(nil, &long)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]uint64, 3)
	k.HashAll([]issue{long, {"short", 1}, longer}, out)
	if k.Hash(&long) != flow.HashBytes(b) || out[0] != k.Hash(&long) || out[2] != k.Hash(&longer) || out[1] != k.Hash(&issue{"short", 1}) {
		t.Error("long keys are hashed otherwise than by their bytes")
	}
	if k.Compare(&long, &longer) >= 0 || k.Compare(&longer, &long) <= 0 {
		t.Error("long keys are out of order")
	}
}
