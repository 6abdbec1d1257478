package files

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/weirstream/weir/connectors"
	"github.com/weirstream/weir/connectors/connectortest"
	"github.com/weirstream/weir/flow"
)

func put(t testing.TB, dir, name, content string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(content), 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

func zip(s string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write([]byte(s))
	_ = w.Close()
	return b.String()
}

func TestLinesWhereverTheCutsAre(t *testing.T) {
	content := "a\n\nlonger line\r\n\r\nx\ny\n\nlast without end"
	want := []string{"a", "", "longer line", "", "x", "y", "", "last without end"}
	path := put(t, t.TempDir(), "in.txt", content)
	for size := int64(1); size <= int64(len(content))+1; size++ {
		connectortest.VerifySource(t, Lines(path, SplitSize(size)), want)
	}
	zipped := put(t, t.TempDir(), "in.txt.gz", zip(content[:7])+zip(content[7:]))
	connectortest.VerifySource(t, Lines(zipped), want)
}

func TestLinesOverTheLimit(t *testing.T) {
	for _, c := range []struct {
		name, content string
		want          []string
		rejects       []connectors.Reject
	}{
		{"fits", "1234\n1234\r\n1234", []string{"1234", "1234", "1234"}, nil},
		{"first", "12345\nab\n", []string{"ab"}, []connectors.Reject{{Offset: 0, Line: 1, Reason: "longer than 4 bytes", Data: "12345"}}},
		{"much longer", "ab\n" + strings.Repeat("x", 100) + "\ncd\n", []string{"ab", "cd"},
			[]connectors.Reject{{Offset: 3, Line: 2, Reason: "longer than 4 bytes", Data: "xxxxxx"}}},
		{"last", "ab\n12345", []string{"ab"}, []connectors.Reject{{Offset: 3, Line: 2, Reason: "longer than 4 bytes", Data: "12345"}}},
		{"two", "12345\n123456789\n\nab", []string{"", "ab"}, []connectors.Reject{
			{Offset: 0, Line: 1, Reason: "longer than 4 bytes", Data: "12345"},
			{Offset: 6, Line: 2, Reason: "longer than 4 bytes", Data: "123456"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := put(t, t.TempDir(), "in", c.content)
			r := connectortest.VerifySource(t, Lines(path, MaxLine(4)), c.want)
			for i := range c.rejects {
				c.rejects[i].Source = path
			}
			if !reflect.DeepEqual(r.Rejects, c.rejects) {
				t.Errorf("rejects %+v, want %+v", r.Rejects, c.rejects)
			}
			for size := int64(1); size < 20; size++ {
				r := connectortest.VerifySource(t, Lines(path, MaxLine(4), SplitSize(size)), c.want)
				if len(r.Rejects) != len(c.rejects) {
					t.Errorf("split size %d: rejects %+v, want %+v", size, r.Rejects, c.rejects)
				}
			}
		})
	}
}

// Lines that are longer than the window and than what one Poll reads.
func TestLongLines(t *testing.T) {
	long := strings.Repeat("0123456789", 100_000)
	path := put(t, t.TempDir(), "in", "a\n"+long+"\nb\n"+long+long+"\nc\n")
	r := connectortest.VerifySource(t, Lines(path), []string{"a", long, "b", "c"})
	if len(r.Rejects) != 1 || r.Rejects[0].Line != 4 || len(r.Rejects[0].Data) != connectors.MaxRejectData {
		t.Errorf("rejects: %.200s", fmt.Sprint(r.Rejects))
	}
	connectortest.VerifySource(t, Lines(path, SplitSize(300_000)), []string{"a", long, "b", "c"})
	zipped := put(t, t.TempDir(), "in.gz", zip("a\n"+long+"\nb\n"+long+long+"\nc\n"))
	connectortest.VerifySource(t, Lines(zipped), []string{"a", long, "b", "c"})
}

type order struct {
	ID    int64              `json:"id" csv:"id"`
	Item  string             `json:"item" csv:"item"`
	Small int8               `json:"small" csv:"small,optional"`
	Price float64            `json:"price" csv:"price,optional"`
	Tags  []string           `csv:"-"`
	Inner struct{ N uint16 } `csv:"-"`
}

func TestJSONBadInput(t *testing.T) {
	for _, c := range []struct{ name, line, reason string }{
		{"syntax", `{"id":1,`, "unexpected end of JSON input"},
		{"garbage", `hello`, "invalid character 'h' looking for beginning of value"},
		{"two values", `{"id":1} {"id":2}`, "invalid character '{' after top-level value"},
		{"string for number", `{"id":"7"}`, "field id: a JSON string does not fit int64"},
		{"number for string", `{"item":7}`, "field item: a JSON number does not fit string"},
		{"overflow", `{"small":300}`, "field small: a JSON number 300 does not fit int8"},
		{"negative unsigned", `{"Inner":{"N":-1}}`, "field Inner.N: a JSON number -1 does not fit uint16"},
		{"fraction", `{"id":1.5}`, "field id: a JSON number 1.5 does not fit int64"},
		{"huge", `{"price":1e999}`, "field price: a JSON number 1e999 does not fit float64"},
		{"array for object", `[1]`, "a JSON array does not fit files.order"},
		{"null", `null`, "null is no record"},
		{"not UTF-8", "{\"item\":\"\xff\"}", "not valid UTF-8"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := put(t, t.TempDir(), "in.jsonl", "{\"id\":1,\"Tags\":[\"a\",\"b\"]}\r\n \n"+c.line+"\n{\"ID\":2,\"other\":[{}],\"Tags\":[\"c\"]}")
			r := connectortest.VerifySource(t, JSON[order](path), []order{{ID: 1, Tags: []string{"a", "b"}}, {ID: 2, Tags: []string{"c"}}})
			want := []connectors.Reject{{Source: path, Offset: 29, Line: 3, Reason: c.reason, Data: c.line}}
			if !reflect.DeepEqual(r.Rejects, want) {
				t.Errorf("rejects %+v, want %+v", r.Rejects, want)
			}
		})
	}
}

func TestJSONSplitsAndByteOrderMark(t *testing.T) {
	var content strings.Builder
	content.WriteString("\xef\xbb\xbf")
	var want []order
	for i := range 40 {
		fmt.Fprintf(&content, "{\"id\":%d}\n", i*i)
		want = append(want, order{ID: int64(i * i)})
	}
	path := put(t, t.TempDir(), "in.jsonl", content.String())
	for _, size := range []int64{1, 3, 17, 100, 1000} {
		connectortest.VerifySource(t, JSON[order](path, SplitSize(size)), want)
	}
}

func TestRejectThatFailsTheJob(t *testing.T) {
	path := put(t, t.TempDir(), "in.jsonl", "x\n")
	src := JSON[order](path)
	splits, err := connectortest.Splits(src)
	if err != nil {
		t.Fatal(err)
	}
	boom := errors.New("boom")
	reader, err := src.Reader(connectors.ReaderContext{Reject: func(connectors.Reject) error { return boom }})
	if err != nil {
		t.Fatal(err)
	}
	s, err := reader.Open(splits[0])
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, _, err := s.Poll(10, func(*order, flow.Time) {}); !errors.Is(err, boom) {
		t.Errorf("Poll: %v, want the error of Reject", err)
	}
}

func TestDamagedGzip(t *testing.T) {
	content := strings.Repeat("a line of text\n", 20_000)
	good := zip(content)
	flipped := []byte(good)
	flipped[len(flipped)-6] ^= 1 // in the checksum
	for _, c := range []struct {
		name, bytes string
		records     int // at least
		reason      string
	}{
		{"empty", "", 0, "unexpected EOF"},
		{"no gzip", "just text\n", 0, "invalid header"},
		{"truncated", good[:len(good)-20], 1, "unexpected EOF"},
		{"no trailer", good[:len(good)-8], 20_000, "unexpected EOF"},
		{"checksum", string(flipped), 20_000, "invalid checksum"},
		{"garbage behind", good + "garbage, garbage", 20_000, "invalid header"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := put(t, t.TempDir(), "in.gz", c.bytes)
			r, err := connectortest.ReadAll(Lines(path))
			if err != nil {
				t.Fatal(err)
			}
			if len(r.Records) < c.records {
				t.Errorf("%d records, want at least %d", len(r.Records), c.records)
			}
			if len(r.Rejects) != 1 || !strings.Contains(r.Rejects[0].Reason, c.reason) || r.Rejects[0].Offset < int64(15*len(r.Records)) ||
				r.Rejects[0].Line != int64(len(r.Records))+1 {
				t.Errorf("rejects %+v after %d records", r.Rejects, len(r.Records))
			}
		})
	}
	path := put(t, t.TempDir(), "in.gz", zip("a\nb\nc\n")[:20])
	connectortest.VerifySource(t, Lines(path), nil)
}

func TestInputThatChanges(t *testing.T) {
	path := put(t, t.TempDir(), "in", "a\nb\nc\n")
	src := Lines(path)
	splits, err := connectortest.Splits(src)
	if err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Dir(path), "in", "a\nb\nc\nd\n")
	if got := pollAll(t, src, splits); !reflect.DeepEqual(got, []string{"a", "b", "c"}) {
		t.Errorf("a file that grew: %q", got)
	}
	put(t, filepath.Dir(path), "in", "a\n")
	reader, err := src.Reader(connectors.ReaderContext{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := reader.Open(splits[0]); err == nil || !strings.Contains(err.Error(), "had 6 bytes") {
		t.Errorf("a file that shrank: %v", err)
	}
}

func pollAll(t testing.TB, src connectors.Source[string], splits []connectors.Split) (got []string) {
	t.Helper()
	reader, err := src.Reader(connectors.ReaderContext{Reject: func(r connectors.Reject) error { return fmt.Errorf("%+v", r) }})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range splits {
		sr, err := reader.Open(s)
		if err != nil {
			t.Fatal(err)
		}
		for status := connectors.More; status == connectors.More; {
			if status, _, err = sr.Poll(100, func(v *string, _ flow.Time) { got = append(got, *v) }); err != nil {
				t.Fatal(err)
			}
		}
		if err := sr.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return got
}

func TestWhichFiles(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "b.txt", "b\n")
	put(t, dir, "a.txt", "a\n")
	put(t, dir, "c.log", "c\n")
	put(t, dir, "empty.txt", "")
	put(t, dir, ".hidden.txt", "no\n")
	put(t, dir, "d.txt.inprogress", "no\n")
	if err := os.MkdirAll(filepath.Join(dir, "sub.txt"), 0o777); err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(dir, "sub.txt"), "e.txt", "no\n")
	connectortest.VerifySource(t, Lines(dir), []string{"a", "b", "c"})
	connectortest.VerifySource(t, Lines(filepath.Join(dir, "*.txt")), []string{"a", "b"})
	connectortest.VerifySource(t, Lines(filepath.Join(dir, ".hidden.txt")), []string{"no"})
}

func TestSourceMistakes(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "orders.csv", "id,itm\n1,a\n")
	empty := t.TempDir()
	for _, c := range []struct {
		name string
		src  interface{ Check() error }
		want string
	}{
		{"missing", Lines(filepath.Join(dir, "ordres.csv")), "did you mean " + filepath.Join(dir, "orders.csv") + "?"},
		{"missing, nothing near", Lines(filepath.Join(dir, "zebra")), "zebra does not exist"},
		{"missing directory", Lines(filepath.Join(dir, "nowhere", "x")), "nor can its directory"},
		{"no path", Lines(""), "no path was given"},
		{"bad pattern", Lines(filepath.Join(dir, "[")), "cannot be read: syntax error in pattern"},
		{"nothing matches", Lines(filepath.Join(dir, "*.txt")), "has no files to read"},
		{"empty directory", Lines(empty), "has no files to read"},
		{"device", Lines(os.DevNull), "neither a file nor a directory"},
		{"split size", Lines(dir, SplitSize(0)), "SplitSize(0) is not positive"},
		{"line limit", Lines(dir, MaxLine(0)), "MaxLine(0) is not from 1 to"},
		{"comma", Lines(dir, Comma(';')), "is for CSV files only"},
		{"quote as comma", CSV[order](dir, Comma('"')), "cannot separate fields"},
		{"csv of no struct", CSV[int](dir), "int is none"},
		{"csv of bad field", CSV[struct{ C chan int }](dir), "type chan int, which no cell"},
		{"csv column", CSV[struct {
			ID   int
			Item string `csv:"item"`
		}](dir), `there is no column "item", only ["id" "itm"]`},
		{"csv tag", CSV[struct {
			ID int `csv:"id,opt"`
		}](dir), `only "optional" is known`},
		{"csv twice", CSV[struct {
			A int `csv:"id"`
			B int `csv:"id"`
		}](dir), `are both column "id"`},
		{"csv hidden field", CSV[struct {
			a int `csv:"id"`
		}](dir), "is not exported"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := c.src.Check(); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Check: %v, want %q", err, c.want)
			}
		})
	}
}

func TestWatch(t *testing.T) {
	dir := t.TempDir()
	src := Lines(dir, Watch())
	if err := src.Check(); err != nil || src.Bounded() {
		t.Fatalf("Check of an empty directory: %v; bounded %v", err, src.Bounded())
	}
	e, err := src.Enumerator()
	if err != nil {
		t.Fatal(err)
	}
	discover := func(want ...string) {
		t.Helper()
		splits, done, err := e.Discover(context.Background())
		if err != nil || done {
			t.Fatalf("done %v, %v", done, err)
		}
		got := []string{}
		for _, s := range splits {
			got = append(got, filepath.Base(s.ID))
		}
		if !reflect.DeepEqual(got, append([]string{}, want...)) {
			t.Fatalf("found %q, want %q", got, want)
		}
	}
	restore := func() {
		t.Helper()
		state, err := e.Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		if e, err = src.Enumerator(); err != nil {
			t.Fatal(err)
		}
		if err := e.Restore(state); err != nil {
			t.Fatal(err)
		}
	}
	discover()
	put(t, dir, "b", "1\n")
	discover()
	put(t, dir, "b", "1\n2\n") // it still grows
	discover()
	put(t, dir, "a", "1\n")
	put(t, dir, ".c", "1\n")
	discover("b:0-4")
	discover("a:0-2")
	restore()
	discover()
	put(t, dir, "c", "1\n")
	discover()
	restore() // the second look is lost, so it takes two more
	discover()
	discover("c:0-2")
	if err := os.Chtimes(filepath.Join(dir, "c"), time.Time{}, time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	discover()
	discover() // a file is taken once
	if err := os.Remove(filepath.Join(dir, "c")); err != nil {
		t.Fatal(err)
	}
	discover()
	put(t, dir, "c", "1\n") // it was forgotten: this is a new one
	discover()
	discover("c:0-2")

	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, _, err := e.Discover(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Discover after cancel: %v", err)
	}
}

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"abc", "abc", 0}, {"abc", "acb", 1}, {"abc", "ab", 1}, {"kitten", "sitting", 3}, {"orders.csv", "ordres.csv", 1}} {
		if got := distance(c.a, c.b, 10); got != c.want {
			t.Errorf("distance(%q, %q) = %d, want %d", c.a, c.b, got, c.want)
		}
	}
}
