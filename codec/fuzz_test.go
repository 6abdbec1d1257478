package codec

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/weirstream/weir/flow"
)

// reader reads any bytes as some type, and complains when I1 or I3 do not hold.
type reader struct {
	name string
	read func(t *testing.T, data []byte)
}

func readers() []reader {
	return []reader{
		readerOf(MustFor[zoo]()),
		readerOf(MustFor[wide]()),
		readerOf(MustFor[order]()),
		readerOf(MustFor[[]accumulator]()),
		readerOf(MustFor[[]string]()),
		readerOf(MustFor[map[string][]*line]()),
		readerOf(MustFor[map[float64]bool]()),
		readerOf(MustFor[[]struct{}]()),
		readerOf(MustFor[map[struct{}]bool]()),
		readerOf(MustFor[[]struct{ _ int64 }]()),
		readerOf(MustFor[[]struct {
			T temperature
			_ [1 << 16]byte
		}]()),
		readerOf(MustFor[[]temperature]()),
		readerOf(MustFor[map[netip.Addr]time.Time]()),
		readerOf(MustFor[[][][]bool]()),
		readerOf(MustFor[*[100]string]()),
		readerOf(Msgpack[any]()),
		readerOf(Msgpack[event]()),
		readerOf(Msgpack[wide]()),
	}
}

func readerOf[T any](c flow.Codec[T]) reader {
	return reader{c.Fingerprint(), func(t *testing.T, data []byte) {
		var v T
		rest, err := c.Read(data, &v)
		if err != nil {
			if !errors.Is(err, ErrDamaged) || len(rest) != len(data) {
				t.Fatalf("%v; %d bytes left", err, len(rest))
			}
			return
		}
		if !bytes.HasSuffix(data, rest) {
			t.Fatalf("what is left is not the end of the input")
		}
		once, err := c.Append(nil, &v)
		if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		var again T
		if rest, err := c.Read(once, &again); err != nil || len(rest) != 0 {
			t.Fatalf("what was written cannot be read: %v; %d bytes left", err, len(rest))
		}
		twice, err := c.Append(nil, &again)
		if err != nil || !bytes.Equal(once, twice) {
			t.Fatalf("% x and then % x, %v", once, twice, err)
		}
	}}
}

func FuzzRead(f *testing.F) {
	all := readers()
	seed := func(b []byte, err error) {
		if err != nil {
			f.Fatal(err)
		}
		for i := range all {
			f.Add(uint8(i), b)
		}
	}
	z, w, o, e := aZoo(), aWide(), anOrder(), anEvent()
	seed(MustFor[zoo]().Append(nil, &z))
	seed(MustFor[wide]().Append(nil, &w))
	seed(MustFor[order]().Append(nil, &o))
	seed(Msgpack[event]().Append(nil, &e))
	seed([]byte{}, nil)
	for _, b := range damagedCounts() {
		seed(b, nil)
	}
	f.Fuzz(func(t *testing.T, which uint8, data []byte) { all[int(which)%len(all)].read(t, data) })
}

func damagedCounts() (out [][]byte) {
	for _, n := range []uint64{2, 100, 1 << 20, 1 << 40, 1 << 62, 1<<63 + 1, 1<<64 - 1} {
		out = append(out, append(binary.AppendUvarint(nil, n), make([]byte, 300)...))
	}
	return append(out, bytes.Repeat([]byte{0xff}, 50), bytes.Repeat([]byte{1}, 300), bytes.Repeat([]byte{2}, 300), bytes.Repeat([]byte{1, 0}, 200))
}

// Every way to cut off a value, and every byte of it changed.
func TestReadOfDamagedValues(t *testing.T) {
	all := readers()
	z, e := aZoo(), anEvent()
	zb, err := MustFor[zoo]().Append(nil, &z)
	if err != nil {
		t.Fatal(err)
	}
	eb, err := Msgpack[event]().Append(nil, &e)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range [][]byte{zb, eb} {
		for i := range b {
			for _, change := range []byte{1, 0x80, 0xff} {
				bad := bytes.Clone(b)
				bad[i] ^= change
				for _, r := range all {
					r.read(t, bad[:i])
					r.read(t, bad)
				}
			}
		}
	}
}

// A damaged count of elements does not make Read allocate what it says (I3).
func TestReadDoesNotOverAllocate(t *testing.T) {
	const factor, slack = 64, 256 << 10
	for _, r := range readers() {
		for _, b := range damagedCounts() {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			r.read(t, b)
			runtime.ReadMemStats(&after)
			if got := after.TotalAlloc - before.TotalAlloc; got > uint64(factor*len(b)+slack) {
				t.Errorf("%.60s: %d bytes allocated for % x...", r.name, got, b[:12])
			}
		}
	}
}
