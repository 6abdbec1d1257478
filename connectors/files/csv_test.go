package files

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/weirstream/weir/connectors"
	"github.com/weirstream/weir/connectors/connectortest"
)

type row struct {
	Name  string
	Count uint8     `csv:"count"`
	Ratio float32   `csv:"ratio,optional"`
	OK    bool      `csv:"ok,optional"`
	At    time.Time `csv:"at,optional"`
	Maybe *int      `csv:"maybe,optional"`
}

func TestCSVBadInput(t *testing.T) {
	const header = "NAME,extra,count,ratio,at,maybe\n"
	for _, c := range []struct {
		name, record string
		rejects      []connectors.Reject
	}{
		{"too few columns", "a,b,1\n", []connectors.Reject{{Line: 3, Reason: "3 columns, and the header has 6", Data: "a,b,1"}}},
		{"too many columns", "a,b,1,2,,,7\n", []connectors.Reject{{Line: 3, Reason: "7 columns, and the header has 6", Data: "a,b,1,2,,,7"}}},
		{"no number", "a,b,x,2,,\n", []connectors.Reject{{Line: 3, Reason: `column "count": "x" is no uint8`, Data: "a,b,x,2,,"}}},
		{"empty number", "a,b,,2,,\n", []connectors.Reject{{Line: 3, Reason: `column "count": "" is no uint8`, Data: "a,b,,2,,"}}},
		{"overflow", "a,b,256,2,,\n", []connectors.Reject{{Line: 3, Reason: `column "count": "256" does not fit uint8`, Data: "a,b,256,2,,"}}},
		{"float overflow", "a,b,1,1e99,,\n", []connectors.Reject{{Line: 3, Reason: `column "ratio": "1e99" does not fit float32`, Data: "a,b,1,1e99,,"}}},
		{"no time", "a,b,1,2,noon,\n", []connectors.Reject{{Line: 3, Reason: `column "at": "noon" is no time.Time`, Data: "a,b,1,2,noon,"}}},
		{"stray quote", "a\"b,b,1,2,,\n", []connectors.Reject{{Line: 3, Reason: strayQuote, Data: "a\"b,b,1,2,,"}}},
		{"behind quotes", "\"a\"b,b,1,2,,\n", []connectors.Reject{{Line: 3, Reason: behindQuotes, Data: "\"a\"b,b,1,2,,"}}},
		{"open quote", "\"a,b,1,2,,\n", []connectors.Reject{{Line: 3, Reason: openQuote, Data: "\"a,b,1,2,,"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			content := header + "first,,1,,,\n" + c.record + "last,,2,,,"
			for _, name := range []string{"in.csv", "in.csv.gz"} {
				bytes := content
				if isGzip(name) {
					bytes = zip(content)
				}
				path := put(t, t.TempDir(), name, bytes)
				r := connectortest.VerifySource(t, CSV[row](path), []row{{Name: "first", Count: 1}, {Name: "last", Count: 2}})
				for i := range c.rejects {
					c.rejects[i].Source, c.rejects[i].Offset = path, 44
				}
				if !reflect.DeepEqual(r.Rejects, c.rejects) {
					t.Errorf("rejects %+v, want %+v", r.Rejects, c.rejects)
				}
			}
		})
	}
}

func TestCSVQuoting(t *testing.T) {
	seven := 7
	content := "\xef\xbb\xbfname;count;maybe\r\n" +
		"\"quoted; with a separator\";1;7\r\n" +
		"\"two\nlines\";2;\r\n" +
		"\n" +
		"\"say \"\"hi\"\"\";3;\n" +
		"\"\";4;\n" +
		"\"\"\"\"\"\";5;\n" +
		"\"ends quoted\";6;\"7\""
	want := []row{
		{Name: "quoted; with a separator", Count: 1, Maybe: &seven}, {Name: "two\nlines", Count: 2}, {Name: `say "hi"`, Count: 3},
		{Name: "", Count: 4}, {Name: `""`, Count: 5}, {Name: "ends quoted", Count: 6, Maybe: &seven},
	}
	path := put(t, t.TempDir(), "in.csv", content)
	connectortest.VerifySource(t, CSV[row](path, Comma(';')), want)
	maps := connectortest.VerifySource(t, CSV[map[string]string](path, Comma(';')), nil).Values()
	if len(maps) != 6 || maps[1]["name"] != "two\nlines" || maps[0]["maybe"] != "7" {
		t.Errorf("as maps: %q", maps)
	}
}

func TestCSVLineNumbers(t *testing.T) {
	path := put(t, t.TempDir(), "in.csv", "name,count\n\"a\n\nb\",1\nbad\n\nbad\n")
	r := connectortest.VerifySource(t, CSV[row](path), []row{{Name: "a\n\nb", Count: 1}})
	if len(r.Rejects) != 2 || r.Rejects[0].Line != 5 || r.Rejects[1].Line != 7 {
		t.Errorf("rejects %+v, want lines 5 and 7", r.Rejects)
	}
}

// A quote that nobody closes costs one line, however much follows.
func TestCSVForgottenQuote(t *testing.T) {
	content := "name,count\na,1\n\"b,2\n" + strings.Repeat("c,3\n", 100) + "d,4\n"
	path := put(t, t.TempDir(), "in.csv", content)
	for _, limit := range []int{20, 50, 1000} {
		r := connectortest.VerifySource(t, CSV[row](path, MaxLine(limit)), nil)
		if len(r.Records) != 102 || len(r.Rejects) != 1 || r.Rejects[0].Data != "\"b,2" || r.Rejects[0].Line != 3 {
			t.Errorf("limit %d: %d records, rejects %+v", limit, len(r.Records), r.Rejects)
		}
	}
}

func TestCSVHeaders(t *testing.T) {
	for _, c := range []struct{ name, content, reason string }{
		{"missing column", "name,cuont\na,1\n", `the header, so that the file is not read: there is no column "count", only ["name" "cuont"]`},
		{"twice", "name,count,name\na,1,b\n", `column "name" is there twice`},
		{"two for one field", "NAME,Name,count\na,b,1\n", ""},
		{"too long", strings.Repeat("x,", 60) + "name,count\na,1\n", "longer than 100 bytes"},
		{"open quote", "\"name,count\na,1\n", openQuote},
		{"empty", "", ""},
		{"only the header", "name,count\n", ""},
		{"only line ends", "\n\n", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			put(t, dir, "b.csv", c.content)
			put(t, dir, "a.csv", "name,count\ngood,1\n") // Check looks at the first file only
			r := connectortest.VerifySource(t, CSV[row](dir, MaxLine(100)), nil)
			if c.reason == "" && len(r.Rejects) == 0 {
				return
			}
			if len(r.Rejects) != 1 || c.reason == "" || !strings.Contains(r.Rejects[0].Reason, c.reason) || len(r.Records) != 1 {
				t.Errorf("records %+v, rejects %+v, want %q", r.Records, r.Rejects, c.reason)
			}
		})
	}
}

// What the sink writes the source reads.
func TestCSVRoundTrip(t *testing.T) {
	n := -5
	rows := []row{
		{Name: "plain", Count: 1, Ratio: 0.1, OK: true, At: time.Date(2024, 5, 6, 7, 8, 9, 123456789, time.UTC)},
		{Name: `a "quoted", one`, Count: 255, Maybe: &n}, {Name: "lines\r\n\nand \r returns", Count: 0}, {Name: ""},
	}
	dir := t.TempDir()
	writeAll(t, CSVSink[row](dir), rows)
	connectortest.VerifySource(t, CSV[row](dir), rows)

	type one struct{ Text string }
	dir = t.TempDir()
	writeAll(t, CSVSink[one](dir), []one{{""}, {"x"}, {"\""}})
	connectortest.VerifySource(t, CSV[one](dir), []one{{""}, {"x"}, {"\""}})
}

func TestEmbeddedColumns(t *testing.T) {
	type keyed struct{ ID int }
	type Outer struct {
		keyed
		Name string
	}
	path := put(t, t.TempDir(), "in.csv", "id,name\n1,a\n")
	connectortest.VerifySource(t, CSV[Outer](path), []Outer{{keyed{1}, "a"}})
	type Pointed struct {
		*keyed
		Name string
	}
	if err := CSV[Pointed](path).Check(); err == nil || !strings.Contains(err.Error(), "embedded pointer") {
		t.Errorf("Check: %v", err)
	}
}
