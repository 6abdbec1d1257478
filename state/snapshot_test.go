package state

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"
	"testing"

	"github.com/weirstream/weir/flow"
)

// smallFile is a snapshot with sections of every kind, one of them empty.
func smallFile(t testing.TB) ([]byte, []Section, [][]byte) {
	secs := []Section{
		{Operator: "op", Name: "count", Kind: Keyed, Format: "f1", KeyGroup: 3},
		{Operator: "op", Name: "count", Kind: Keyed, Format: "f1", KeyGroup: 7},
		{Operator: "op", Name: "offsets", Kind: Split, Format: "f2"},
		{Operator: "other", Name: "rules", Kind: Broadcast, Format: ""},
	}
	bodies := [][]byte{[]byte("three"), []byte("seven!"), {}, []byte("r")}
	var s Snapshot
	for i := range secs {
		s.AddBytes(secs[i], bodies[i])
	}
	var out bytes.Buffer
	size, sum, err := s.WriteFile(&out)
	if err != nil {
		t.Fatal(err)
	}
	if size != int64(out.Len()) || sum != crc32.Checksum(out.Bytes(), castagnoli) {
		t.Fatalf("WriteFile says %d bytes, sum %x; the file has %d, sum %x", size, sum, out.Len(), crc32.Checksum(out.Bytes(), castagnoli))
	}
	return out.Bytes(), secs, bodies
}

// readAll reads every section of a file.
func readAll(name string, file []byte) ([]Section, [][]byte, error) {
	f, err := OpenSnapshot(name, bytes.NewReader(file), int64(len(file)))
	if err != nil {
		return nil, nil, err
	}
	var secs []Section
	var bodies [][]byte
	seen := map[string]bool{}
	for _, s := range f.Sections() {
		if id := s.Operator + "\x00" + s.Name; !seen[id] {
			seen[id] = true
			err := f.Each(s.Operator, s.Name, nil, func(s Section, body []byte) error {
				secs, bodies = append(secs, s), append(bodies, body)
				return nil
			})
			if err != nil {
				return nil, nil, err
			}
		}
	}
	return secs, bodies, nil
}

func TestSnapshotRoundTrip(t *testing.T) {
	file, secs, bodies := smallFile(t)
	gotSecs, gotBodies, err := readAll("f", file)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(gotSecs, secs) || !slices.EqualFunc(gotBodies, bodies, bytes.Equal) {
		t.Fatalf("read %v %q", gotSecs, gotBodies)
	}
}

func TestSnapshotEmpty(t *testing.T) {
	var s Snapshot
	if !s.Empty() {
		t.Fatal("a new snapshot is not empty")
	}
	var out bytes.Buffer
	if _, _, err := s.WriteFile(&out); err != nil {
		t.Fatal(err)
	}
	secs, _, err := readAll("f", out.Bytes())
	if err != nil || len(secs) != 0 {
		t.Fatal(secs, err)
	}
}

// TestSnapshotDamage changes every byte of a small file in several ways: each is noticed, or makes no difference (the
// magic in front is there for people).
func TestSnapshotDamage(t *testing.T) {
	file, secs, bodies := smallFile(t)
	for i := range file {
		for _, flip := range []byte{1, 0x80, 0xff} {
			bad := slices.Clone(file)
			bad[i] ^= flip
			gotSecs, gotBodies, err := readAll("part-0", bad)
			if err == nil {
				if i >= len(snapshotMagic) {
					t.Fatalf("byte %d changed by %x: nothing noticed", i, flip)
				}
				if !slices.Equal(gotSecs, secs) || !slices.EqualFunc(gotBodies, bodies, bytes.Equal) {
					t.Fatalf("byte %d changed by %x: other content read", i, flip)
				}
				continue
			}
			if !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "part-0") {
				t.Fatalf("byte %d changed by %x: %v", i, flip, err)
			}
		}
	}
	for n := range file {
		if _, _, err := readAll("part-0", file[:n]); !errors.Is(err, ErrDamaged) {
			t.Fatalf("cut to %d bytes: %v", n, err)
		}
	}
}

type failingWriter struct{ left int }

func (w *failingWriter) Write(b []byte) (int, error) {
	if len(b) > w.left {
		return 0, errors.New("disk full")
	}
	w.left -= len(b)
	return len(b), nil
}

func TestSnapshotWriteErrors(t *testing.T) {
	file, secs, bodies := smallFile(t)
	for n := 0; n < len(file); n += 7 {
		var s Snapshot
		for i := range secs {
			s.AddBytes(secs[i], bodies[i])
		}
		if _, _, err := s.WriteFile(&failingWriter{n}); err == nil {
			t.Fatalf("an error after %d bytes was lost", n)
		}
	}
	var s Snapshot
	s.Add(func(*SnapshotWriter) error { return errors.New("part") })
	if _, _, err := s.WriteFile(&bytes.Buffer{}); err == nil {
		t.Fatal("the error of a part was lost")
	}
}

func TestRestoreReadsItsPart(t *testing.T) {
	file, _, _ := smallFile(t)
	f, err := OpenSnapshot("part-0", bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	r := &Restore{Files: []*SnapshotFile{f, f}}
	var got []string
	read := func(g int, b []byte) error {
		got = append(got, fmt.Sprintf("%d:%s", g, b))
		return nil
	}
	if err := r.Keyed("op", "count", "f1", flow.KeyGroupRange{From: 4, To: 8}, read); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, []string{"7:seven!", "7:seven!"}) {
		t.Fatal(got)
	}
	err = r.Keyed("op", "count", "f9", flow.KeyGroupRange{From: 0, To: 8}, read)
	if err == nil || !strings.Contains(err.Error(), "f1") || !strings.Contains(err.Error(), "f9") {
		t.Fatalf("another format: %v", err)
	}
	n := 0
	if err := r.All("op", "offsets", "f2", func([]byte) error { n++; return nil }); err != nil || n != 2 {
		t.Fatal(n, err)
	}
	var fresh *Restore
	if err := fresh.Keyed("op", "count", "f1", flow.KeyGroupRange{From: 0, To: 8}, read); err != nil {
		t.Fatal(err)
	}
}

// FuzzOpenSnapshot: whatever the bytes, reading ends without a panic and allocates no more than there is.
func FuzzOpenSnapshot(f *testing.F) {
	file, _, _ := smallFile(f)
	f.Add(file)
	f.Add(file[:len(file)-1])
	f.Add([]byte(snapshotMagic))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, fix := range []bool{false, true} {
			if fix {
				b = reseal(b)
			}
			secs, bodies, err := readAll("fuzz", b)
			if err != nil && !errors.Is(err, ErrDamaged) {
				t.Fatal(err)
			}
			for i := range secs {
				if len(bodies[i]) > len(b) {
					t.Fatal("a section is larger than its file")
				}
			}
		}
	})
}

// reseal makes the index checksum of a file right, so that fuzzing gets to the parser.
func reseal(b []byte) []byte {
	if len(b) < footerLen+len(snapshotMagic) {
		return b
	}
	b = slices.Clone(b)
	foot := b[len(b)-footerLen:]
	var off, n uint64
	for i := range 8 {
		off |= uint64(foot[i]) << (8 * i)
		n |= uint64(foot[8+i]) << (8 * i)
	}
	if off < uint64(len(b)) && n <= uint64(len(b))-off {
		sum := crc32.Checksum(b[off:off+n], castagnoli)
		for i := range 4 {
			foot[16+i] = byte(sum >> (8 * i))
		}
		copy(foot[20:], snapshotMagic)
	}
	return b
}
