package files

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
)

func FuzzDecoders(f *testing.F) {
	p := part{dir: "d", owner: "o-1", subtask: 1, attempt: 2, n: 3, ext: "csv"}
	f.Add(splitState{path: "x.gz", size: 10, end: unlimited, pos: 5, line: 2, skip: true}.encode())
	f.Add(splitState{path: "x", size: 10, end: 9, pos: 5}.encode())
	f.Add(committable{publish, p, 7}.encode())
	f.Add(writerState{part: p, parallelism: 2, open: true, size: 3, created: -1, header: "a\n", old: []part{p, p}}.encode())
	f.Add([]byte{formatVersion, 0, 2, 1, 'a', 1, 'b'})
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := decodeSplit(b); err == nil {
			if again, err := decodeSplit(s.encode()); err != nil || again != s {
				t.Errorf("split %+v, again %+v, %v", s, again, err)
			}
		}
		if c, err := decodeCommittable(b); err == nil {
			if again, err := decodeCommittable(c.encode()); err != nil || again != c {
				t.Errorf("committable %+v, again %+v, %v", c, again, err)
			}
		}
		if s, err := decodeWriterState(b); err == nil {
			if again, err := decodeWriterState(s.encode()); err != nil || !reflect.DeepEqual(again, s) {
				t.Errorf("writer %+v, again %+v, %v", s, again, err)
			}
		}
		e := enumerator{}
		if e.Restore(b) == nil {
			if _, err := e.Snapshot(); err != nil {
				t.Error(err)
			}
		}
	})
}

// scanAll returns all tokens, however the bytes come.
func scanAll(in io.Reader, o options, csv bool, start, end int64) (tokens []string) {
	s := newScanner(in, o, csv, make([]byte, 4))
	if start > 0 {
		s.pos, s.skip, s.line = start-1, true, 0
	}
	s.end = end
	for {
		s.budget = 3
		switch t := s.next(); t.kind {
		case tokenStarved:
		case tokenEnd:
			return tokens
		default:
			text := fmt.Sprintf("%d at %d line %d: %q %v", t.kind, t.off, t.line, t.data, t.err)
			if start > 0 || end != unlimited {
				text = fmt.Sprintf("%d at %d: %q %v", t.kind, t.off, t.data, t.err)
			}
			tokens = append(tokens, text)
		}
	}
}

func FuzzLines(f *testing.F) {
	f.Add("a\r\nb\n\nc", uint8(3), uint8(4))
	f.Add("aaaaaaaaaa\nb\r\n\r\nccccccccccccc", uint8(5), uint8(3))
	f.Fuzz(func(t *testing.T, text string, size, limit uint8) {
		o := options{maxLine: int(limit) + 1}
		whole := scanAll(strings.NewReader(text), o, false, 0, int64(len(text)))
		if got := scanAll(iotest.OneByteReader(strings.NewReader(text)), o, false, 0, int64(len(text))); !reflect.DeepEqual(got, whole) {
			t.Fatalf("byte by byte %q, at once %q", got, whole)
		}
		var parts []string
		step := int64(size) + 1
		for start := int64(0); start < int64(len(text)); start += step {
			in := strings.NewReader(text[max(0, start-1):])
			parts = append(parts, scanAll(in, o, false, start, min(start+step, int64(len(text))))...)
		}
		if !reflect.DeepEqual(parts, whole) {
			t.Fatalf("in splits of %d: %q, at once %q", step, parts, whole)
		}
		if int(limit) >= len(text) {
			want := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
			if text == "" {
				want = nil
			}
			if len(want) != len(whole) {
				t.Fatalf("%d lines, want %d", len(whole), len(want))
			}
		}
	})
}

func FuzzCSV(f *testing.F) {
	f.Add("a,b\n\"x\ny\",\"\"\"\"\r\n\n1,2", uint8(200))
	f.Add("a\n\"b\nc\nd", uint8(200))
	f.Add("\"a\"b\na\"b\n\"\"\"", uint8(5))
	f.Fuzz(func(t *testing.T, text string, limit uint8) {
		o := options{maxLine: int(limit) + 1}
		whole := scanAll(strings.NewReader(text), o, true, 0, unlimited)
		if got := scanAll(iotest.OneByteReader(strings.NewReader(text)), o, true, 0, unlimited); !reflect.DeepEqual(got, whole) {
			t.Fatalf("byte by byte %q, at once %q", got, whole)
		}
		s := newScanner(strings.NewReader(text), o, true, nil)
		s.budget = 1 << 20
		var got [][]string
		for {
			tok := s.next()
			if tok.kind == tokenEnd {
				break
			}
			if tok.kind == tokenReject {
				return // the standard library recovers otherwise
			}
			if len(tok.data) > 0 {
				got = append(got, splitFields(nil, tok.data, ','))
			}
		}
		// A carriage return before a line end within quotes the standard library takes away; we keep it. And it takes one at
		// the very end for a line end.
		if strings.Contains(text, "\r") {
			return
		}
		r := csv.NewReader(strings.NewReader(text))
		r.FieldsPerRecord = -1
		want, err := r.ReadAll()
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%q, want %q, %v", got, want, err)
		}
	})
}

func FuzzJSON(f *testing.F) {
	f.Add([]byte(`{"id":1,"Tags":["a"],"Inner":{"N":3}}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, line []byte) {
		var a, b order
		kept := bytes.Clone(line)
		ok, err := decodeJSON(line, &a)
		if ok && err != nil {
			t.Fatalf("a record and %v", err)
		}
		if ok2, err2 := decodeJSON(kept, &b); ok2 != ok || (err2 == nil) != (err == nil) {
			t.Fatal("not the same twice")
		}
		clear(line) // nothing of the record may lie in the line
		if ok && !reflect.DeepEqual(a, b) {
			t.Fatalf("%+v, want %+v", a, b)
		}
	})
}
