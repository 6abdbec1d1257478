package lint

import (
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// TestRepository is where the house rules hold or fail.
func TestRepository(t *testing.T) {
	r, err := Load(os.DirFS("../.."))
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Files) < 50 {
		t.Fatalf("only %d files were found: is this still the root of the repository?", len(r.Files))
	}
	for _, f := range Run(r) {
		t.Error(f)
	}
	for _, f := range LongFiles(r) {
		t.Logf("%s has %d lines: %s", f.Path, f.Line, f.Text)
	}
}

const head = "// Package x is a snippet.\npackage x\n\n"

// longBody is a function of n lines.
func longBody(n int) string { return "func f() {\n" + strings.Repeat("\t_ = 0\n", n-2) + "}\n" }

// TestRules shows that every rule can fail, where, and that it lets the like pass.
func TestRules(t *testing.T) {
	covered := map[string]bool{}
	for _, c := range []struct {
		name string
		path string
		src  string
		want string // the beginning of a finding; "" for none
	}{
		{"upward", "flow/doc.go", head + `import _ "github.com/weirstream/weir/state"` + "\n", "flow/doc.go:4: [imports] flow (level 0) imports state (level 3): imports go down only"},
		{"downward", "state/doc.go", head + `import _ "github.com/weirstream/weir/flow"` + "\n", ""},
		{"sideways", "checkpoint/doc.go", head + `import _ "github.com/weirstream/weir/cluster"` + "\n", "checkpoint/doc.go:4: [imports] checkpoint (level 7) imports cluster"},
		{"sibling connectors", "connectors/files/doc.go", head + `import _ "github.com/weirstream/weir/connectors/kafka"` + "\n", "connectors/files/doc.go:4: [imports] connectors/files (level 4)"},
		{"parent folder", "connectors/files/doc.go", head + `import _ "github.com/weirstream/weir/connectors"` + "\n", ""},
		{"test bench beside it", "connectors/files/a_test.go", "package files\n\n" + `import _ "github.com/weirstream/weir/connectors/connectortest"` + "\n", ""},
		{"child folder", "connectors/doc.go", head + `import _ "github.com/weirstream/weir/connectors/files"` + "\n", "connectors/doc.go:4: [imports]"},
		{"never", "sql/doc.go", head + `import _ "github.com/weirstream/weir/cluster"` + "\n", "sql/doc.go:4: [imports] sql must never import cluster"},
		{"web", "web/doc.go", head + `import _ "github.com/weirstream/weir/actors"` + "\n", "web/doc.go:4: [imports] web must never import actors"},
		{"no level", "stuff/doc.go", head, "stuff/doc.go:2: [imports] folder stuff has no level"},
		{"import of no level", "node/doc.go", head + `import _ "github.com/weirstream/weir/stuff"` + "\n", "node/doc.go:4: [imports] stuff is not in the table"},
		{"test inside", "stream/a_test.go", "package stream\n\n" + `import _ "github.com/weirstream/weir/local"` + "\n", "stream/a_test.go:3: [imports] stream (level 7) imports local"},
		{"test outside", "stream/a_test.go", "package stream_test\n\n" + `import _ "github.com/weirstream/weir/local"` + "\n", ""},

		{"msgpack", "state/doc.go", head + `import _ "github.com/vmihailenco/msgpack/v5"` + "\n", "state/doc.go:4: [owners] github.com/vmihailenco/msgpack/v5 belongs to codec"},
		{"msgpack at home", "codec/doc.go", head + `import _ "github.com/vmihailenco/msgpack/v5"` + "\n", ""},
		{"actors in a command", "cmd/node/main.go", "// Command node.\npackage main\n\n" + `import _ "github.com/asynkron/protoactor-go/actor"` + "\n", ""},
		{"flow imports nothing", "flow/doc.go", head + `import _ "github.com/asynkron/protoactor-go/actor"` + "\n", "flow/doc.go:4: [owners]"},
		{"rapid outside tests", "state/doc.go", head + `import _ "pgregory.net/rapid"` + "\n", "state/doc.go:4: [owners] pgregory.net/rapid belongs to tests"},
		{"rapid in a test", "state/a_test.go", "package state\n\n" + `import _ "pgregory.net/rapid"` + "\n", ""},
		{"rapid in a test package", "operators/operatortest/doc.go", head + `import _ "pgregory.net/rapid"` + "\n", ""},
		{"unknown dependency", "node/doc.go", head + `import _ "example.org/x"` + "\n", "node/doc.go:4: [owners] example.org/x has no owner"},

		{"os in scheduler", "scheduler/doc.go", head + `import _ "os"` + "\n", "scheduler/doc.go:4: [pure] scheduler imports os"},
		{"net/http in scheduler", "scheduler/doc.go", head + `import _ "net/http"` + "\n", "scheduler/doc.go:4: [pure] scheduler imports net/http"},
		{"os in node", "node/doc.go", head + `import _ "os"` + "\n", ""},

		{"file", "state/string_util.go", head, "state/string_util.go:2: [names] file string_util.go is named \"util\""},
		{"file ok", "state/database.go", head + "var _ = 0\n", ""},
		{"package", "state/common/doc.go", "// Package common.\npackage common\n", "state/common/doc.go:2: [names]"},
		{"type", "state/doc.go", head + "type OperatorImpl struct{}\n", "state/doc.go:4: [names] type OperatorImpl is named \"impl\""},
		{"type ok", "state/doc.go", head + "type Baseline struct{}\n\ntype helper struct{}\n", ""},

		{"go", "operators/doc.go", head + "func f() {\n\t// stopped by Close\n\tgo f()\n}\n", "operators/doc.go:6: [concurrency] a go statement below actors"},
		{"go in actors", "actors/doc.go", head + "func f() { go f() }\n", ""},
		{"go without a word", "cluster/doc.go", head + "func f() {\n\tgo f()\n}\n", "cluster/doc.go:5: [concurrency] a go statement without a comment"},
		{"go with a word", "cluster/doc.go", head + "func f() {\n\t// ended by Close\n\tgo f()\n}\n", ""},
		{"mutex", "state/doc.go", head + "import \"sync\"\n\nvar mu sync.RWMutex\n", "state/doc.go:6: [concurrency] sync.RWMutex below actors"},
		{"renamed sync", "state/doc.go", head + "import s \"sync\"\n\nvar mu s.Mutex\n", "state/doc.go:6: [concurrency] sync.Mutex below actors"},
		{"mutex without a word", "connectors/files/doc.go", head + "import \"sync\"\n\nvar wg sync.WaitGroup\n", "connectors/files/doc.go:6: [concurrency] sync.WaitGroup without a comment"},
		{"once", "state/doc.go", head + "import \"sync\"\n\nvar o sync.Once\n", ""},

		{"now", "state/doc.go", head + "import \"time\"\n\nvar t = time.Now()\n", "state/doc.go:6: [clocks] time.Now below actors"},
		{"timer", "connectors/doc.go", head + "import \"time\"\n\nvar t = time.NewTimer(0)\n", "connectors/doc.go:6: [clocks] time.NewTimer"},
		{"the clock", "timeservice/clock.go", head + "import \"time\"\n\nvar t = time.Now()\n", "timeservice/clock.go:2: [doc]"},
		{"now in actors", "actors/doc.go", head + "import \"time\"\n\nvar t = time.Now()\n", ""},
		{"duration", "state/doc.go", head + "import \"time\"\n\nconst d = time.Second\n", ""},
		{"rand", "operators/doc.go", head + "import \"math/rand/v2\"\n\nvar n = rand.IntN(3)\n", "operators/doc.go:6: [clocks] rand.IntN uses the global generator"},
		{"seeded rand", "operators/doc.go", head + "import \"math/rand/v2\"\n\nvar r = rand.New(rand.NewPCG(1, 2))\n", ""},

		{"sleep", "node/a_test.go", "package node\n\nimport \"time\"\n\nfunc f() { time.Sleep(1) }\n", "node/a_test.go:5: [sleep] time.Sleep in a test"},
		{"sleep in a bubble", "node/a_test.go", "package node\n\nimport (\n\t\"testing/synctest\"\n\t\"time\"\n)\n\nfunc f() { synctest.Test(nil, func() { time.Sleep(1) }) }\n", ""},

		{"no doc.go", "state/table.go", head, "state/table.go:2: [doc] package state has no doc.go"},
		{"no comment", "state/doc.go", "package state\n", "state/doc.go:1: [doc]"},
		{"program", "examples/wordcount/main.go", "// Command wordcount counts.\npackage main\n", ""},

		{"long file", "state/doc.go", head + strings.Repeat("var _ = 0\n", maxFileLines), "state/doc.go:1: [size] 803 lines, the limit is 800"},
		{"long function", "state/doc.go", head + longBody(101), "state/doc.go:4: [size] state.f has 101 lines, the limit is 100"},
		{"function at the limit", "state/doc.go", head + longBody(100), ""},
		{"long test", "state/a_test.go", "package state\n\n" + longBody(101), ""},

		{"format", "state/doc.go", head + "var  x = 0\n", "state/doc.go:4: [gofmt] not formatted: run gofmt -w state/doc.go"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := Load(fstest.MapFS{c.path: {Data: []byte(c.src)}})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range Run(r) {
				// A snippet is one file: where doc.go is not what the case is about, its absence says nothing.
				if f.Rule == "doc" && !strings.Contains(c.want, "[doc]") {
					continue
				}
				got = append(got, f.String())
				covered[f.Rule] = true
			}
			switch {
			case c.want == "" && len(got) > 0:
				t.Errorf("got %q, want nothing", got)
			case c.want != "" && (len(got) == 0 || !slices.ContainsFunc(got, func(g string) bool { return strings.HasPrefix(g, c.want) })):
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
	for _, rule := range Rules() {
		if !covered[rule.Name] {
			t.Errorf("rule %s has no snippet that breaks it (I1)", rule.Name)
		}
	}
}

// TestExemptions shows that an exemption works, and that one too many is noticed.
func TestExemptions(t *testing.T) {
	defer func(old map[string]string) { longFunctions = old }(longFunctions)
	longFunctions = map[string]string{"state.table.f": "a reason", "state.g": "not needed any more"}
	src := head + "type table[K any] struct{}\n\n" + strings.Replace(longBody(101), "func f", "func (t *table[K]) f", 1)
	r, err := Load(fstest.MapFS{"state/doc.go": {Data: []byte(src)}})
	if err != nil {
		t.Fatal(err)
	}
	got := Run(r)
	if len(got) != 1 || !strings.Contains(got[0].Text, "state.g is short enough now") {
		t.Errorf("got %v", got)
	}
}

func TestLoadSkips(t *testing.T) {
	bad := &fstest.MapFile{Data: []byte("not Go")}
	r, err := Load(fstest.MapFS{
		"tools/go.mod": {Data: []byte("module tools\n")}, "tools/a.go": bad, "a/testdata/b.go": bad, ".hidden/c.go": bad, "_d/d.go": bad,
		"flow/doc.go": {Data: []byte(head)},
	})
	if err != nil || len(r.Files) != 1 || r.Files[0].Path != "flow/doc.go" {
		t.Errorf("got %v, %v", r.Files, err)
	}
	if _, err := Load(fstest.MapFS{"flow/bad.go": bad}); err == nil {
		t.Error("a file that does not parse was passed over")
	}
}
