package codec

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"time"
)

// The types that the tests of this package share.

// wide has eight fields of integers and strings.
type wide struct {
	ID     int64
	Repo   string
	Actor  string
	Stars  int32
	Forks  int32
	Score  int64
	Branch string
	At     int64
}

func aWide() wide {
	return wide{ID: 1234567, Repo: "golang/go", Actor: "gopher", Stars: 120000, Forks: 17000, Score: -5, Branch: "master", At: 1_700_000_000_000}
}

// accumulator is what an aggregation keeps: three integers.
type accumulator struct{ Sum, Count, Max int64 }

type line struct {
	SKU   string
	Count int32
	Price float64
}

// order has structs within.
type order struct {
	ID       int64
	Customer struct {
		Name    string
		Address address
	}
	Lines []line
	Paid  bool
	At    time.Time
}

type address struct {
	Street, City string
	Zip          int32
}

func anOrder() order {
	o := order{ID: 7, Paid: true, At: time.Date(2024, 5, 6, 7, 8, 9, 10, time.UTC)}
	o.Customer.Name, o.Customer.Address = "Ada", address{"Main St", "London", 12345}
	o.Lines = []line{{"apple", 3, 0.5}, {"pear", 1, 0.75}}
	return o
}

type (
	userID  int64
	country string
	point   struct{ X, Y int32 }
	padded  struct {
		A int8
		B int64
		C int16
		D bool
		E int32
	}
)

// base is embedded.
type base struct {
	Seq  uint64
	note string
}

// zoo has one of everything.
type zoo struct {
	base
	B       bool
	I       int
	I8      int8
	I16     int16
	I32     int32
	I64     int64
	U       uint
	U8      uint8
	U16     uint16
	U32     uint32
	U64     uint64
	F32     float32
	F64     float64
	C64     complex64
	C128    complex128
	S       string
	Named   userID
	Country country
	Bytes   []byte
	Ints    []int64
	Shorts  []int16
	Bools   []bool
	Strings []string
	Points  []point
	Padded  []padded
	Times   []time.Time
	Nested  [][]string
	Ptrs    []*string
	Ptr     *point
	PtrPtr  **int64
	Arr     [3]int32
	ArrS    [2]string
	ArrB    [2]bool
	Map     map[string]int64
	Deep    map[point][]string
	Set     map[int16]struct{}
	Empties []struct{}
	Time    time.Time
	Dur     time.Duration
	Addr    netip.Addr
	Temps   []temperature
	_       int64
	_       func()
	private string
	hidden  map[country]*line
}

// temperature cannot be stored by its fields, and has a binary form.
type temperature struct {
	degrees int32
	unit    any
}

func (t temperature) MarshalBinary() ([]byte, error) {
	u, ok := t.unit.(string)
	if !ok {
		return nil, errors.New("temperature without a unit")
	}
	return append(binary.BigEndian.AppendUint32(nil, uint32(t.degrees)), u...), nil
}

func (t *temperature) UnmarshalBinary(b []byte) error {
	if len(b) < 4 {
		return errors.New("too short for a temperature")
	}
	t.degrees, t.unit = int32(binary.BigEndian.Uint32(b)), string(b[4:])
	return nil
}

func aZoo() zoo {
	text, n := "text", int64(-9)
	pn := &n
	return zoo{
		base: base{Seq: 1 << 60, note: "embedded"}, B: true, I: -1, I8: -8, I16: -16, I32: -32, I64: -64, U: 1, U8: 8, U16: 16,
		U32: 32, U64: 64, F32: 1.5, F64: -2.5, C64: 1 + 2i, C128: 3 - 4i, S: "string", Named: 5, Country: "NZ",
		Bytes: []byte{1, 2}, Ints: []int64{1, -1}, Shorts: []int16{3, -3, 300}, Bools: []bool{true, false},
		Strings: []string{"", "a"}, Points: []point{{1, 2}, {3, 4}}, Padded: []padded{{1, 2, 3, true, 4}},
		Times: []time.Time{{}, time.Unix(1, 2).UTC()}, Nested: [][]string{nil, {}, {"x"}}, Ptrs: []*string{nil, &text},
		Ptr: &point{5, 6}, PtrPtr: &pn, Arr: [3]int32{7, 8, 9}, ArrS: [2]string{"p", "q"}, ArrB: [2]bool{false, true},
		Map: map[string]int64{"one": 1, "two": 2, "": 0}, Deep: map[point][]string{{1, 1}: {"d"}, {2, 2}: nil},
		Set: map[int16]struct{}{1: {}, -1: {}}, Empties: make([]struct{}, 3), Time: time.Unix(1e9, 5).UTC(), Dur: time.Hour,
		Addr: netip.MustParseAddr("fe80::1%eth0"), Temps: []temperature{{20, "C"}, {-4, "F"}}, private: "kept",
		hidden: map[country]*line{"NZ": {"kiwi", 1, 2}, "": nil},
	}
}
