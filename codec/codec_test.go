package codec

import (
	"encoding/hex"
	"errors"
	"math"
	"net/netip"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/google/go-cmp/cmp"

	"github.com/weirstream/weir/flow"
)

// roundTrip writes v behind a prefix, reads it back, and checks I1 and that damaged forms of the bytes give errors or
// values, not panics.
func roundTrip[T any](t *testing.T, c flow.Codec[T], v T) T {
	t.Helper()
	b, err := c.Append([]byte("prefix"), &v)
	if err != nil {
		t.Fatalf("Append(%+v): %v", v, err)
	}
	if string(b[:6]) != "prefix" {
		t.Fatalf("Append overwrote what was there: %q", b[:6])
	}
	b = append(b[6:], "rest"...)
	var got T
	rest, err := c.Read(b, &got)
	if err != nil {
		t.Fatalf("Read of % x: %v", b, err)
	}
	if string(rest) != "rest" {
		t.Fatalf("Read of % x left %q", b, rest)
	}
	return got
}

func TestRoundTripOfEverything(t *testing.T) {
	c := MustFor[zoo]()
	for name, v := range map[string]zoo{"full": aZoo(), "zero": {}} {
		v.Temps = append(v.Temps, temperature{1, "K"}) // the zero one cannot be marshalled
		if got := roundTrip(t, c, v); !reflect.DeepEqual(got, v) {
			t.Errorf("%s: %s", name, cmp.Diff(v, got, cmp.AllowUnexported(zoo{}, base{}, temperature{}), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })))
		}
	}
}

// The code for machines of the other byte order writes the same bytes.
func TestPortableFormIsTheSame(t *testing.T) {
	fast, err := compileFor[zoo](&compiler{})
	if err != nil {
		t.Fatal(err)
	}
	slow, err := compileFor[zoo](&compiler{portable: true})
	if err != nil {
		t.Fatal(err)
	}
	if fast.Fingerprint() != slow.Fingerprint() {
		t.Errorf("fingerprints differ: %s and %s", fast.Fingerprint(), slow.Fingerprint())
	}
	v := aZoo()
	want, err := fast.Append(nil, &v)
	if err != nil {
		t.Fatal(err)
	}
	got, err := slow.Append(nil, &v)
	if err != nil || string(got) != string(want) {
		t.Errorf("portable: % x, %v\n    fast: % x", got, err, want)
	}
	if back := roundTrip(t, flow.Codec[zoo](slow), v); !reflect.DeepEqual(back, v) {
		t.Errorf("portable: got %+v", back)
	}
}

// Formats are frozen (I4): these bytes are in snapshots.
func TestFormatFrozen(t *testing.T) {
	five := int32(5)
	check(t, true, "w1:bool", "01")
	check(t, int(-2), "w1:int64", "feffffffffffffff")
	check(t, uint16(0x1234), "w1:uint16", "3412")
	check(t, 1.5, "w1:float64", "000000000000f83f")
	check(t, complex64(1i), "w1:complex64", "000000000000803f")
	check(t, "abc", "w1:string", "03616263")
	check(t, strings.Repeat("x", 200), "w1:string", "c801"+strings.Repeat("78", 200))
	check(t, []byte{7, 8}, "w1:[]uint8", "030708")
	check(t, []string(nil), "w1:[]string", "00")
	check(t, []string{}, "w1:[]string", "01")
	check(t, []string{"a", ""}, "w1:[]string", "03016100")
	check(t, [2]int16{1, -1}, "w1:[2]int16", "0100ffff")
	check(t, map[string]bool{"b": true, "a": false}, "w1:map[string]bool", "03"+"016100"+"016201")
	check(t, &five, "w1:*int32", "0105000000")
	check(t, (*int32)(nil), "w1:*int32", "00")
	check(t, time.Unix(1, 2).UTC(), "w1:time", "010000000000000002000000")
	check(t, time.Second, "w1:int64", "00ca9a3b00000000")
	check(t, netip.MustParseAddr("1.2.3.4"), "w1:binary(net/netip.Addr)", "0401020304")
	check(t, struct{}{}, "w1:struct{}", "")
	check(t, struct{ _ int64 }{}, "w1:struct{_}", "00")
	check(t, padded{1, 2, 3, true, 4}, "w1:struct{A int8;B int64;C int16;D bool;E int32}", "01"+"0200000000000000"+"0300"+"01"+"04000000")
	check(t, struct {
		base
		N userID
		_ int64
	}{base{1, "n"}, 2, 0}, "w1:struct{base struct{Seq uint64;note string};N int64}", "0100000000000000"+"016e"+"0200000000000000")
}

func check[T any](t *testing.T, v T, fingerprint, bytes string) {
	t.Helper()
	c, err := For[T]()
	if err != nil {
		t.Error(err)
		return
	}
	if c.Fingerprint() != fingerprint {
		t.Errorf("fingerprint of %T is %q, frozen as %q", v, c.Fingerprint(), fingerprint)
	}
	got, err := c.Append(nil, &v)
	if err != nil || hex.EncodeToString(got) != bytes {
		t.Errorf("%T %v is stored as %x, %v; frozen as %s", v, v, got, err, bytes)
	}
	if back := roundTrip(t, c, v); !reflect.DeepEqual(back, v) {
		t.Errorf("%T %v is read as %v", v, v, back)
	}
}

func TestLongFingerprintsAreCut(t *testing.T) {
	type a struct{ First, Second, Third, Fourth, Fifth, Sixth, Seventh [4]zooLess }
	type b struct{ First, Second, Third, Fourth, Fifth, Sixth, Seventh_ [4]zooLess }
	x, y := MustFor[a]().Fingerprint(), MustFor[b]().Fingerprint()
	if len(x) != maxFingerprint || len(y) != maxFingerprint || x == y {
		t.Errorf("%d and %d bytes, equal: %v", len(x), len(y), x == y)
	}
	if !strings.HasPrefix(x, "w1:struct{First [4]struct{") {
		t.Errorf("not readable: %s", x)
	}
}

type zooLess struct {
	Alpha, Beta, Gamma, Delta, Epsilon, Zeta, Eta, Theta, Iota, Kappa map[string][]int64
}

func TestRefused(t *testing.T) {
	type inner struct {
		OK       int
		Callback func()
	}
	type outer struct{ Items []map[string]*inner }
	type promoted struct {
		time.Time
		F func()
	}
	for _, c := range []struct {
		err  error
		want []string
	}{
		{refusal[inner](), []string{"codec: inner.Callback: func() cannot be stored", "codec of your own"}},
		{refusal[outer](), []string{"codec: outer.Items[][].Callback: func() cannot"}},
		{refusal[any](), []string{"codec: interface {}: interface {} can hold anything", "codec.Msgpack"}},
		{refusal[struct{ E error }](), []string{".E: error can hold anything"}},
		{refusal[map[any]int](), []string{"[key]: interface {} can hold"}},
		{refusal[chan int](), []string{"chan int cannot be stored"}},
		{refusal[uintptr](), []string{"an address"}},
		{refusal[unsafe.Pointer](), []string{"an address"}},
		{refusal[list](), []string{"codec: list.Next: codec.list refers to itself"}},
		{refusal[tree](), []string{"codec: tree.Kids[]: codec.tree refers to itself"}},
		{refusal[struct{ mu sync.Mutex }](), []string{".mu: sync.Mutex cannot be stored: a lock"}},
		{refusal[*time.Location](), []string{"time.Location cannot be stored; store its name"}},
		{refusal[promoted](), []string{"promoted.F: func() cannot be stored"}},
		{refusal[d16](), []string{"more than 65536 fields"}},
	} {
		if c.err == nil {
			t.Errorf("no error where %q is expected", c.want)
			continue
		}
		for _, w := range c.want {
			if !strings.Contains(c.err.Error(), w) {
				t.Errorf("%q does not contain %q", c.err, w)
			}
		}
	}
}

func refusal[T any]() error {
	_, err := For[T]()
	return err
}

type list struct {
	V    int
	Next *list
}
type tree struct{ Kids []tree }

type (
	d0  struct{ A, B string }
	d1  struct{ A, B d0 }
	d2  struct{ A, B d1 }
	d3  struct{ A, B d2 }
	d4  struct{ A, B d3 }
	d5  struct{ A, B d4 }
	d6  struct{ A, B d5 }
	d7  struct{ A, B d6 }
	d8  struct{ A, B d7 }
	d9  struct{ A, B d8 }
	d10 struct{ A, B d9 }
	d11 struct{ A, B d10 }
	d12 struct{ A, B d11 }
	d13 struct{ A, B d12 }
	d14 struct{ A, B d13 }
	d15 struct{ A, B d14 }
	d16 struct{ A, B d15 }
)

func TestMustForPanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("MustFor[chan int] did not panic")
		}
	}()
	MustFor[chan int]()
}

func TestTimesKeepTheInstant(t *testing.T) {
	c := MustFor[time.Time]()
	far := time.FixedZone("far", 5*3600)
	for _, v := range []time.Time{
		{}, time.Unix(0, 0), time.Date(1600, 1, 2, 3, 4, 5, 6, far), time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC),
		time.Unix(-1, 999999999), time.Unix(math.MaxInt64/2, 1),
	} {
		got := roundTrip(t, c, v)
		if !got.Equal(v) || got.Location() != time.UTC {
			t.Errorf("%v is read as %v", v, got)
		}
	}
	type stamp time.Time
	v := stamp(time.Unix(5, 6).UTC())
	if got := roundTrip(t, MustFor[stamp](), v); got != v {
		t.Errorf("a type defined as time.Time: %v is read as %v", time.Time(v), time.Time(got))
	}
}

func TestFloatsKeepTheirBits(t *testing.T) {
	c := MustFor[float64]()
	for _, bits := range []uint64{0, 1 << 63, math.Float64bits(math.Inf(-1)), 0x7ff8000000000001, 0x7ff0000000000001, 1} {
		if got := roundTrip(t, c, math.Float64frombits(bits)); math.Float64bits(got) != bits {
			t.Errorf("%#x is read as %#x", bits, math.Float64bits(got))
		}
	}
}

// Read shares the buffer with strings and byte slices, and appending to one of them does not reach its neighbour.
func TestReadSharesTheBuffer(t *testing.T) {
	type pair struct {
		A []byte
		B string
	}
	c := MustFor[pair]()
	buf, err := c.Append(nil, &pair{[]byte("abc"), "def"})
	if err != nil {
		t.Fatal(err)
	}
	var v pair
	if _, err := c.Read(buf, &v); err != nil {
		t.Fatal(err)
	}
	if &v.A[0] != &buf[1] || unsafe.StringData(v.B) != &buf[5] {
		t.Error("Read copied")
	}
	_ = append(v.A, 'X', 'X', 'X')
	if v.B != "def" {
		t.Errorf("appending to A changed B to %q", v.B)
	}
}

// Read overwrites all of a value and leaves alone what the old one pointed to.
func TestReadIntoAUsedValue(t *testing.T) {
	c := MustFor[zoo]()
	want := zoo{Ints: []int64{5}, Map: map[string]int64{"new": 1}, Ptr: &point{9, 9}}
	buf, err := c.Append(nil, &want)
	if err != nil {
		t.Fatal(err)
	}
	used, untouched := aZoo(), aZoo()
	alias := used
	if _, err := c.Read(buf, &used); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(used, want) {
		t.Errorf("something of the old value is left: %+v", used)
	}
	if !reflect.DeepEqual(alias, untouched) {
		t.Errorf("the old value was written to: %+v", alias)
	}
}

func TestErrorsNameTheField(t *testing.T) {
	c := MustFor[order]()
	v := anOrder()
	buf, err := c.Append(nil, &v)
	if err != nil {
		t.Fatal(err)
	}
	pear := strings.Index(string(buf), "pear")
	for _, k := range []struct {
		cut  int
		want string
	}{
		{3, "codec: order.ID: damaged input: 8 bytes needed, 3 left"},
		{9, "codec: order.Customer.Name: damaged input: a string of 3 bytes, and 0 left"},
		{pear + 3, "codec: order.Lines: damaged input: 2 elements of at least 13 bytes, and 22 bytes left"},
		{len(buf) - 1, "codec: order.At: damaged input: 12 bytes needed, 11 left"},
	} {
		var got order
		rest, err := c.Read(buf[:k.cut], &got)
		if err == nil || !strings.HasPrefix(err.Error(), k.want) || !errors.Is(err, ErrDamaged) {
			t.Errorf("cut at %d: %v, want %s", k.cut, err, k.want)
		}
		if len(rest) != k.cut {
			t.Errorf("cut at %d: %d bytes are left after the error", k.cut, len(rest))
		}
	}
	buf[pear-1] = 100
	if _, err := c.Read(buf, &v); err == nil || !strings.HasPrefix(err.Error(), "codec: order.Lines[].SKU: damaged input: a string of 100 bytes") {
		t.Errorf("a changed length: %v", err)
	}
	bad := MustFor[struct{ T temperature }]()
	if out, err := bad.Append([]byte("x"), &struct{ T temperature }{}); err == nil || !strings.Contains(err.Error(), ".T: temperature without a unit") || string(out) != "x" {
		t.Errorf("Append gives %q, %v", out, err)
	}
}

func TestLayout(t *testing.T) {
	type handleless struct {
		A [4]int64
		B bool
		C [0]*int
	}
	for _, c := range []struct {
		name                    string
		free, share             bool
		wantFree, wantShareable bool
	}{
		{"int", PointerFree[int](), Shareable[int](), true, true},
		{"struct", PointerFree[handleless](), Shareable[handleless](), true, true},
		{"string", PointerFree[string](), Shareable[string](), false, true},
		{"wide", PointerFree[wide](), Shareable[wide](), false, true},
		{"time", PointerFree[time.Time](), Shareable[time.Time](), false, true},
		{"addr", PointerFree[netip.Addr](), Shareable[netip.Addr](), false, true},
		{"order", PointerFree[order](), Shareable[order](), false, false},
		{"slice", PointerFree[[]int](), Shareable[[]int](), false, false},
		{"pointer", PointerFree[*int](), Shareable[*int](), false, false},
		{"map", PointerFree[map[int]int](), Shareable[map[int]int](), false, false},
		{"any", PointerFree[any](), Shareable[any](), false, false},
		{"func", PointerFree[func()](), Shareable[func()](), false, false},
		{"array", PointerFree[[2]string](), Shareable[[2]string](), false, true},
	} {
		if c.free != c.wantFree || c.share != c.wantShareable {
			t.Errorf("%s: PointerFree %v, want %v; Shareable %v, want %v", c.name, c.free, c.wantFree, c.share, c.wantShareable)
		}
	}
}
