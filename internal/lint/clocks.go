package lint

import (
	"go/ast"
	"go/token"
	"slices"
	"strings"
)

// concurrent are the packages below actors that may start goroutines and hold locks, each with a comment above.
var concurrent = []string{"connectors", "cluster", "checkpoint"}

// locks are the types of package sync that count as concurrency.
var locks = []string{"Mutex", "RWMutex", "WaitGroup", "Cond"}

// clockFile is the one file below actors that reads the clock.
const clockFile = "timeservice/clock.go"

// readers of the wall clock in package time.
var readers = []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker"}

// seeded are the names of math/rand and math/rand/v2 that do not use the global generator.
var seeded = []string{"New", "NewSource", "NewPCG", "NewChaCha8", "NewZipf", "Rand", "Source", "Source64", "PCG", "ChaCha8", "Zipf"}

// belowActors reports whether f is in a package below actors, and no test.
func belowActors(f *File) bool {
	_, level := home(f.Dir)
	return level >= 0 && level < actorLevel && !f.Test
}

func checkConcurrency(r *Repo, report func(*File, token.Pos, string, ...any)) {
	for _, f := range r.Files {
		if !belowActors(f) {
			continue
		}
		allowed := slices.ContainsFunc(concurrent, func(d string) bool { return f.Dir == d || strings.HasPrefix(f.Dir, d+"/") })
		commented := commentEnds(r.Fset, f)
		found := func(at ast.Node, what string) {
			switch {
			case !allowed:
				report(f, at.Pos(), "%s below actors: only %s may; hand the work to Task.Go, or return it as an effect", what, strings.Join(concurrent, ", "))
			case !commented[r.Fset.Position(at.Pos()).Line-1]:
				report(f, at.Pos(), "%s without a comment on the line above: say who stops it, or what it guards", what)
			}
		}
		ast.Inspect(f.AST, func(n ast.Node) bool {
			if g, ok := n.(*ast.GoStmt); ok {
				found(g, "a go statement")
			}
			return true
		})
		f.selected(func(pkg, name string, at ast.Node) {
			if pkg == "sync" && slices.Contains(locks, name) {
				found(at, "sync."+name)
			}
		})
	}
}

// commentEnds are the lines of f on which a comment ends.
func commentEnds(fset *token.FileSet, f *File) map[int]bool {
	lines := map[int]bool{}
	for _, g := range f.AST.Comments {
		lines[fset.Position(g.End()).Line] = true
	}
	return lines
}

func checkClocks(r *Repo, report func(*File, token.Pos, string, ...any)) {
	for _, f := range r.Files {
		if !belowActors(f) || f.Path == clockFile {
			continue
		}
		f.selected(func(pkg, name string, at ast.Node) {
			switch {
			case pkg == "time" && slices.Contains(readers, name):
				report(f, at.Pos(), "time.%s below actors: use the timeservice.Clock that is passed in", name)
			case (pkg == "math/rand" || pkg == "math/rand/v2") && !slices.Contains(seeded, name):
				report(f, at.Pos(), "rand.%s uses the global generator: use a rand.Rand made from a seed that is passed in", name)
			}
		})
	}
}

func checkSleep(r *Repo, report func(*File, token.Pos, string, ...any)) {
	for _, f := range r.Files {
		if !f.Test {
			continue
		}
		f.selected(func(pkg, name string, at ast.Node) {
			if pkg == "time" && name == "Sleep" && !insideBubble(f, at) {
				report(f, at.Pos(), "time.Sleep in a test: wait for what should happen, use testing/synctest or pass a timeservice.Manual")
			}
		})
	}
}

// insideBubble reports whether at is in a function literal that is given to synctest.Test, where sleeping takes no time.
func insideBubble(f *File, at ast.Node) bool {
	inside := false
	names := f.importNames()
	ast.Inspect(f.AST, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok || call.Pos() > at.Pos() || call.End() < at.End() {
			return true
		}
		if sel, ok := call.Fun.(*ast.SelectorExpr); ok && sel.Sel.Name == "Test" {
			if id, ok := sel.X.(*ast.Ident); ok && names[id.Name] == "testing/synctest" {
				inside = true
			}
		}
		return true
	})
	return inside
}
