package codec

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/vmihailenco/msgpack/v5"
)

type event struct {
	Kind   string
	Fields map[string]any
	Kids   []event
	Counts map[int32]map[point]string
	secret int
}

func anEvent() event {
	return event{
		Kind:   "push",
		Fields: map[string]any{"n": int64(5), "s": "text", "l": []any{true, nil, 1.5}, "m": map[string]any{"z": "1", "a": "2"}},
		Kids:   []event{{Kind: "kid"}, {Fields: map[string]any{}}},
		Counts: map[int32]map[point]string{1: {{1, 2}: "a", {2, 1}: "b"}, -1: nil, 300: {}},
	}
}

func TestMsgpackRoundTrip(t *testing.T) {
	c := Msgpack[event]()
	if c.Fingerprint() != "m1:codec.event" {
		t.Errorf("fingerprint %q", c.Fingerprint())
	}
	v := anEvent()
	if got := roundTrip(t, c, v); !reflect.DeepEqual(got, v) {
		t.Errorf("got %+v", got)
	}
	v.secret = 1
	if got := roundTrip(t, c, v); got.secret != 0 {
		t.Error("an unexported field was stored")
	}
	if got := roundTrip(t, Msgpack[*event](), &v); got.Kind != "push" {
		t.Errorf("pointer: got %+v", got)
	}
	if got := roundTrip(t, Msgpack[any](), any("x")); got != "x" {
		t.Errorf("any: got %+v", got)
	}
}

// The order of maps in memory does not reach the bytes, and they stay MessagePack.
func TestMsgpackIsDeterministic(t *testing.T) {
	c := Msgpack[map[any]any]()
	var first []byte
	for range 20 {
		v := map[any]any{}
		for i := range 50 {
			v[int64(i)] = map[int64]string{int64(i): "a", 1000: "b", 2000: "c"}
			v[strings.Repeat("k", i)] = i
		}
		b, err := c.Append(nil, &v)
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = b
		}
		if !bytes.Equal(first, b) {
			t.Fatal("two encodings of equal maps differ")
		}
	}
	var got map[int64]map[int64]string
	typed := Msgpack[map[int64]map[int64]string]()
	v := map[int64]map[int64]string{1: {2: "x"}, 3: {4: "y", 5: "z"}}
	b, err := typed.Append(nil, &v)
	if err != nil {
		t.Fatal(err)
	}
	if err := msgpack.Unmarshal(b, &got); err != nil || !reflect.DeepEqual(got, v) {
		t.Errorf("the library reads %v, %v", got, err)
	}
}

// State of a struct that has gained a field is read.
func TestMsgpackReadsOlderStructs(t *testing.T) {
	type before struct{ A, B int }
	type after struct {
		B, C int
		A    int64
	}
	b, err := Msgpack[before]().Append(nil, &before{1, 2})
	if err != nil {
		t.Fatal(err)
	}
	got := after{C: 9}
	if _, err := Msgpack[after]().Read(b, &got); err != nil || got != (after{A: 1, B: 2}) {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestMsgpackRefusesDamage(t *testing.T) {
	deep := append(bytes.Repeat([]byte{0x91}, 1<<20), 0xc0)
	for name, b := range map[string][]byte{
		"nothing":             {},
		"0xc1":                {0xc1},
		"cut string":          {0xa5, 'a'},
		"huge string":         {0xdb, 0xff, 0xff, 0xff, 0xff},
		"huge array":          {0xdd, 0xff, 0xff, 0xff, 0xff, 1},
		"huge map":            {0xdf, 0xff, 0xff, 0xff, 0xff, 1},
		"huge extension":      {0xc9, 0xff, 0xff, 0xff, 0xff, 1},
		"cut length":          {0xdd, 0xff},
		"deeper than allowed": deep,
	} {
		var v any
		rest, err := Msgpack[any]().Read(b, &v)
		if !errors.Is(err, ErrDamaged) || len(rest) != len(b) || v != nil {
			t.Errorf("%s: %v; %d of %d bytes left; %v", name, err, len(rest), len(b), v)
		}
	}
	var n int
	if _, err := Msgpack[int]().Read([]byte{0xa1, 'x'}, &n); !errors.Is(err, ErrDamaged) {
		t.Errorf("a string where an int is expected: %v", err)
	}
}

func TestMsgpackCannotStoreFunctions(t *testing.T) {
	f := func() {}
	if out, err := Msgpack[func()]().Append([]byte("x"), &f); err == nil || string(out) != "x" || !strings.Contains(err.Error(), "codec: func(): msgpack") {
		t.Errorf("%q, %v", out, err)
	}
}
