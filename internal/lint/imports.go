package lint

import (
	"go/token"
	"strings"
)

// levels is who may import whom: a package imports packages of lower levels only, and its own parent folder; its tests
// also packages of its level whose name ends in "test". A folder that is not here has the level of the folder above it.
var levels = map[string]int{
	"flow":                0,
	"internal/invariants": 0,
	"codec":               1,
	"timeservice":         2,
	"state":               3,
	"connectors":          4,
	"operators":           5,
	"jobgraph":            6,
	"stream":              7,
	"checkpoint":          7,
	"cluster":             7,
	"scheduler":           8,
	"sql":                 8,
	"cep":                 8,
	"actors":              actorLevel,
	"web":                 10,
	"local":               11,
	"sim":                 11,
	"node":                12,
	"bench":               13,
	"examples/verify":     12,
	"examples/auction":    13,
	"examples/commits":    13,
	"examples/connector":  13,
	"examples/wordcount":  13,
	"examples":            14,
	"cmd":                 15,
	"internal/lint":       13,
}

// actorLevel is where goroutines, locks and clocks begin.
const actorLevel = 9

// never lists imports that the levels would allow.
var never = map[string][]string{
	"stream": {"scheduler", "cluster", "actors"},
	"sql":    {"scheduler", "cluster", "actors", "checkpoint"},
	"cep":    {"scheduler", "cluster", "actors", "checkpoint"},
	"web":    {"actors"}, // over an interface
}

// owners says which packages may import a dependency: one package owns one, but for the actor system. A trailing "/"
// means all below.
var owners = map[string][]string{
	"github.com/vmihailenco/msgpack":    {"codec"},
	"github.com/asynkron/protoactor-go": {"actors", "node", "local", "sim", "cmd"},
	"github.com/spf13/cobra":            {"node", "cmd"},
	"github.com/jedib0t/go-pretty":      {"node", "cmd"},
	"github.com/hashicorp/memberlist":   {"cluster"},
	"github.com/hashicorp/raft":         {"cluster"},
	"go.etcd.io/bbolt":                  {"cluster"},
	"github.com/cockroachdb/pebble":     {"state"},
	"github.com/cockroachdb/datadriven": forTests,
	"github.com/google/go-cmp":          forTests,
	"go.uber.org/goleak":                forTests,
	"pgregory.net/rapid":                forTests,
}

// forTests are dependencies of tests: any _test.go, and packages whose name ends in "test".
var forTests = []string{"tests"}

// unowned holds packages that may import anything.
var unowned = map[string]string{}

// pure packages decide and do nothing: they import none of these.
var pure = map[string][]string{
	"flow":      {"os", "net", "log", "math/rand", "math/rand/v2"},
	"jobgraph":  {"os", "net", "time", "math/rand", "math/rand/v2"},
	"scheduler": {"os", "net", "time", "sync", "math/rand", "math/rand/v2"},
}

// home is the entry of the table that dir belongs to, and its level; -1 for none.
func home(dir string) (string, int) {
	for d := dir; ; {
		if l, ok := levels[d]; ok {
			return d, l
		}
		i := strings.LastIndexByte(d, '/')
		if i < 0 {
			return dir, -1
		}
		d = d[:i]
	}
}

// ours is the folder of an import of this module.
func ours(importPath string) (string, bool) {
	if importPath == module {
		return ".", true
	}
	return strings.CutPrefix(importPath, module+"/")
}

func checkImports(r *Repo, report func(*File, token.Pos, string, ...any)) {
	homeless := map[string]bool{}
	for _, f := range r.Files {
		from, level := home(f.Dir)
		if level < 0 && !homeless[f.Dir] {
			homeless[f.Dir] = true
			report(f, f.AST.Package, "folder %s has no level: add it to levels in internal/lint/imports.go, beside its peers", f.Dir)
		}
		if level < 0 || f.External() {
			continue // tests from outside may use all that users have
		}
		for _, s := range f.AST.Imports {
			dir, ok := ours(strings.Trim(s.Path.Value, `"`))
			if !ok {
				continue
			}
			to, below := home(dir)
			switch {
			case below < 0:
				report(f, s.Pos(), "%s is not in the table of levels: add it to internal/lint/imports.go", dir)
			case forbidden(from, to):
				report(f, s.Pos(), "%s must never import %s: a job is data until something runs it; pass an interface or move the code", from, to)
			case below < level, strings.HasPrefix(f.Dir, dir+"/"):
			case f.Test && below == level && strings.HasSuffix(dir, "test"):
			default:
				report(f, s.Pos(), "%s (level %d) imports %s (level %d): imports go down only; move the code down, or declare the interface here and implement it there", f.Dir, level, dir, below)
			}
		}
	}
}

func forbidden(from, to string) bool {
	for _, n := range never[from] {
		if n == to {
			return true
		}
	}
	return false
}

func checkOwners(r *Repo, report func(*File, token.Pos, string, ...any)) {
	for _, f := range r.Files {
		if _, free := unowned[f.Dir]; free {
			continue
		}
		for _, s := range f.AST.Imports {
			p := strings.Trim(s.Path.Value, `"`)
			if _, own := ours(p); own || !strings.Contains(strings.SplitN(p, "/", 2)[0], ".") {
				continue
			}
			who, known := owner(p)
			switch {
			case !known:
				report(f, s.Pos(), "%s has no owner: decide which one package uses it and add it to owners in internal/lint/imports.go", p)
			case !owns(f, who):
				report(f, s.Pos(), "%s belongs to %s: use what that package offers", p, strings.Join(who, ", "))
			}
		}
	}
}

func owner(importPath string) ([]string, bool) {
	for dep, who := range owners {
		if importPath == dep || strings.HasPrefix(importPath, dep+"/") {
			return who, true
		}
	}
	return nil, false
}

func owns(f *File, who []string) bool {
	for _, w := range who {
		if w == "tests" && (f.Test || strings.HasSuffix(f.Dir, "test")) {
			return true
		}
		if f.Dir == w || strings.HasPrefix(f.Dir, w+"/") {
			return true
		}
	}
	return false
}

func checkPure(r *Repo, report func(*File, token.Pos, string, ...any)) {
	for _, f := range r.Files {
		if f.Test {
			continue
		}
		for _, s := range f.AST.Imports {
			p := strings.Trim(s.Path.Value, `"`)
			for _, bad := range pure[f.Dir] {
				if p == bad || strings.HasPrefix(p, bad+"/") {
					report(f, s.Pos(), "%s imports %s: it decides and does nothing; pass in what was read and return what is to be done", f.Dir, p)
					break
				}
			}
		}
	}
}
