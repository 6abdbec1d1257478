package checkpoint

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/weirstream/weir/flow"
)

// sample is a manifest with something in every field.
func sample() *Manifest {
	return &Manifest{
		Job: "words <1> & 2", Run: "r-7f", Fingerprint: "f00dcafe12345678", ID: 7, Kind: flow.Periodic, Term: 5,
		Started: 1_700_000_000_123, Completed: 1_700_000_000_456,
		Vertices: []VertexState{
			{ID: 0, Name: "source", UIDs: []string{"src"}, Parallelism: 1, MaxParallelism: 128,
				Subtasks: []SubtaskState{{Index: 0, Attempt: 2, Records: 10}}},
			{ID: 1, Name: "count → sink", UIDs: []string{"count", "sink"}, Parallelism: 2, MaxParallelism: 128, Subtasks: []SubtaskState{
				{Index: 0, Attempt: 2, File: "1-0-2.state", Size: 5, Sum: Sum(crc32.Checksum([]byte("state"), castagnoli)), Records: 6},
				{Index: 1, Attempt: 3, File: "1-1-3.state", Size: 4, Sum: Sum(crc32.Checksum([]byte("more"), castagnoli)), Records: 4},
			}},
		},
		Sources: []SourceState{{
			UID: "src", Enumerator: []byte("found 3"),
			Pending: []SplitState{{ID: "c", State: []byte{0, 1}, Watermark: flow.MinTime}},
			Readers: []ReaderState{{Vertex: 0, Index: 0, Splits: []SplitState{{ID: "a\xff", State: []byte("at 5"), Watermark: 99}}, Finished: []SplitID{"b", "base64:"}}},
		}},
	}
}

func encode(t testing.TB, m *Manifest) []byte {
	t.Helper()
	data, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// seal gives body a right checksum.
func seal(body []byte) []byte {
	return append(bytes.Clone(body), trailer(Sum(crc32.Checksum(body, castagnoli)))...)
}

// body is data without its checksum.
func body(data []byte) []byte { return data[:len(data)-len(trailer(0))] }

func TestManifestReadsWhatItWrote(t *testing.T) {
	m := sample()
	data := encode(t, m)
	got, err := Decode("manifest.json", data)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(m, got, cmpopts.EquateEmpty()); d != "" {
		t.Error(d)
	}
	if got.Bytes() != 9 || got.Operator("sink") != got.Vertex(1) || got.Source("src") == nil || got.Operator("nobody") != nil || got.Source("sink") != nil {
		t.Errorf("bytes %d, operator %v, source %v", got.Bytes(), got.Operator("sink"), got.Source("src"))
	}
}

// The format is on disk: this file was written by version 1 and stays readable.
func TestManifestGolden(t *testing.T) {
	want, err := os.ReadFile("testdata/manifest-v1.json")
	if err != nil {
		t.Fatal(err)
	}
	if got := encode(t, sample()); !bytes.Equal(got, want) {
		t.Errorf("the manifest is written differently now; a new format needs a new version:\n%s", cmp.Diff(string(want), string(got)))
	}
	got, err := Decode("testdata/manifest-v1.json", want)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(sample(), got, cmpopts.EquateEmpty()); d != "" {
		t.Error(d)
	}
}

func TestManifestNoticesEveryDamagedByte(t *testing.T) {
	data := encode(t, sample())
	for i := range data {
		for _, flip := range []byte{1, 0x20, 0x80} { // 0x20 turns letters into capitals, which JSON would forgive
			bad := bytes.Clone(data)
			bad[i] ^= flip
			if _, err := Decode("m", bad); !errors.Is(err, ErrDamaged) {
				t.Fatalf("byte %d ^ %#x: %v", i, flip, err)
			}
		}
		if _, err := Decode("m", data[:i]); !errors.Is(err, ErrDamaged) {
			t.Fatalf("cut to %d bytes: %v", i, err)
		}
		if _, err := Decode("m", append(bytes.Clone(data[:i]), data[i+1:]...)); !errors.Is(err, ErrDamaged) {
			t.Fatalf("without byte %d: %v", i, err)
		}
	}
	if _, err := Decode("m", append(bytes.Clone(data), '\n')); !errors.Is(err, ErrDamaged) {
		t.Errorf("with a byte more: %v", err)
	}
}

func TestManifestIsStrict(t *testing.T) {
	good := string(body(encode(t, sample())))
	for name, edit := range map[string][2]string{
		"unknown field":        {`"term": 5`, `"term": 5, "colour": 1`},
		"kind":                 {`"kind": "periodic"`, `"kind": "savepoint"`},
		"time":                 {`"started": "2023`, `"started": "20x3`},
		"no format":            {`"format": 1`, `"format": 0`},
		"id":                   {`"checkpoint": 7`, `"checkpoint": 0`},
		"job":                  {`"job": "words <1> & 2"`, `"job": ""`},
		"parallelism":          {`"parallelism": 2`, `"parallelism": 3`},
		"index":                {`"index": 1`, `"index": 0`},
		"vertex order":         {`"id": 1,`, `"id": 0,`},
		"key groups":           {`"maxParallelism": 128`, `"maxParallelism": 0`},
		"file outside":         {`1-1-3.state`, `../1-1-3.state`},
		"file of two":          {`1-1-3.state`, `1-0-2.state`},
		"negative size":        {`"size": 4`, `"size": -4`},
		"sum in capitals":      {`"crc32c": "`, `"crc32c": "A`},
		"split in two places":  {`"id": "c"`, `"id": "base64:Yf8="`},
		"reader of no subtask": {`"subtask": 0`, `"subtask": 1`},
		"base64":               {`base64:Yf8=`, `base64:Y!8=`},
		"second object":        {`"term": 5`, `"term": 5}, {"term": 5`},
		"case of a field":      {`"term": 5`, `"Term": 5`},
		"field twice":          {`"term": 5`, `"term": 4, "term": 5`},
		"other spacing":        {`"term": 5`, `"term":  5`},
	} {
		if !strings.Contains(good, edit[0]) {
			t.Fatalf("%s: no %q in\n%s", name, edit[0], good)
		}
		if _, err := Decode("m", seal([]byte(strings.Replace(good, edit[0], edit[1], 1)))); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestManifestOfANewerRelease(t *testing.T) {
	b := body(encode(t, sample()))
	b = bytes.Replace(b, []byte(`"format": 1`), []byte(`"format": 2, "colours": [1]`), 1)
	_, err := Decode("words/chk-7/manifest.json", seal(b))
	want := "words/chk-7/manifest.json: written by a newer release: its format is 2 and this release reads up to 1: restore it with the release that wrote it, or upgrade"
	if !errors.Is(err, ErrNewer) || errors.Is(err, ErrDamaged) || err.Error() != want {
		t.Error(err)
	}
}

func TestManifestTimes(t *testing.T) {
	for _, at := range []flow.Time{flow.MinTime, flow.MaxTime, 0, -1, 1, 253402300799999, 253402300800000, -62135596800000, -62135596800001} {
		m := sample()
		m.Started = at
		got, err := Decode("m", encode(t, m))
		if err != nil || got.Started != at {
			t.Errorf("%d came back as %d: %v", int64(at), int64(got.Started), err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(body(encode(f, sample())))
	f.Add([]byte(`{"format":1`))
	f.Add([]byte(``))
	small := sample()
	small.Sources, small.Vertices = nil, small.Vertices[:1]
	f.Add(body(encode(f, small)))
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := Decode("m", b); err != nil && !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrNewer) {
			t.Fatalf("raw: %v", err)
		}
		data := seal(b)
		m, err := Decode("m", data)
		if err != nil {
			if !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrNewer) {
				t.Fatal(err)
			}
			return
		}
		if again := encode(t, m); !bytes.Equal(again, data) { // I7
			t.Fatalf("taken:\n%s\nwritten:\n%s", data, again)
		}
	})
}

func FuzzSplitID(f *testing.F) {
	for _, s := range []string{"", "a", "\xff", "base64:", "base64:YQ=="} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		b, err := SplitID(s).MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		var got SplitID
		if err := got.UnmarshalText(b); err != nil || string(got) != s {
			t.Fatalf("%q came back as %q: %v", s, got, err)
		}
	})
}

// big is a manifest of 1,000 subtasks and 10,000 splits.
func big() *Manifest {
	m := sample()
	v := &m.Vertices[1]
	v.Parallelism, v.Subtasks = 1000, nil
	for i := range v.Parallelism {
		s := flow.SubtaskID{Vertex: 1, Index: i}
		v.Subtasks = append(v.Subtasks, SubtaskState{Index: i, Attempt: 1, File: StateFile(s, 1), Size: 1 << 20, Sum: Sum(i)})
	}
	for i := range 10_000 {
		m.Sources[0].Pending = append(m.Sources[0].Pending, SplitState{ID: SplitID(fmt.Sprint("split-", i)), State: []byte("/data/part-0001.json.gz@0")})
	}
	return m
}

func BenchmarkManifestEncode(b *testing.B) {
	m := big()
	b.SetBytes(int64(len(encode(b, m))))
	b.ReportAllocs()
	for b.Loop() {
		encode(b, m)
	}
}

func BenchmarkManifestDecode(b *testing.B) {
	data := encode(b, big())
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Decode("m", data); err != nil {
			b.Fatal(err)
		}
	}
}
