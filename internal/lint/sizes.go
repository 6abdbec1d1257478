package lint

import (
	"bytes"
	"go/ast"
	"go/format"
	"go/token"
	"maps"
	"path"
	"slices"
	"strings"
)

// Limits of size, in lines. A file above wantFileLines is worth a thought; above the others the rule fails.
const (
	wantFileLines    = 600
	maxFileLines     = 800
	maxFunctionLines = 100
)

// longFunctions are exempt from maxFunctionLines, as "folder.Function" or "folder.Type.Method", with the reason.
var longFunctions = map[string]string{}

// LongFiles lists the files above the wanted size.
func LongFiles(r *Repo) []Finding {
	var all []Finding
	for _, f := range r.Files {
		if n := lines(f); n > wantFileLines {
			all = append(all, Finding{f.Path, n, "size", "longer than 600 lines: is it one noun?"})
		}
	}
	return all
}

func lines(f *File) int { return bytes.Count(f.Src, []byte("\n")) }

func checkSizes(r *Repo, report func(*File, token.Pos, string, ...any)) {
	used := map[string]bool{}
	for _, f := range r.Files {
		if n := lines(f); n > maxFileLines {
			report(f, token.NoPos, "%d lines, the limit is %d: cut it by nouns", n, maxFileLines)
		}
		if f.Test {
			continue // tables of cases may be long
		}
		for _, d := range f.AST.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			n := r.Fset.Position(fn.End()).Line - r.Fset.Position(fn.Pos()).Line + 1
			name := functionName(f, fn)
			if n <= maxFunctionLines {
				continue
			}
			if _, exempt := longFunctions[name]; exempt {
				used[name] = true
				continue
			}
			report(f, fn.Pos(), "%s has %d lines, the limit is %d: cut it into steps with names, or exempt it in internal/lint/sizes.go with a reason", name, n, maxFunctionLines)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(longFunctions)) {
		if f := fileIn(r, name); !used[name] && f != nil {
			report(f, token.NoPos, "%s is short enough now: remove it from longFunctions in internal/lint/sizes.go", name)
		}
	}
}

// fileIn is a file of the folder that an exempt name is in.
func fileIn(r *Repo, name string) *File {
	for _, f := range r.Files {
		if strings.HasPrefix(name, f.Dir+".") {
			return f
		}
	}
	return nil
}

func functionName(f *File, fn *ast.FuncDecl) string {
	if fn.Recv == nil || len(fn.Recv.List) == 0 {
		return f.Dir + "." + fn.Name.Name
	}
	t := fn.Recv.List[0].Type
	for {
		switch x := t.(type) {
		case *ast.StarExpr:
			t = x.X
		case *ast.IndexExpr:
			t = x.X
		case *ast.IndexListExpr:
			t = x.X
		case *ast.Ident:
			return f.Dir + "." + x.Name + "." + fn.Name.Name
		default:
			return f.Dir + "." + fn.Name.Name
		}
	}
}

// checkDoc wants a package comment in doc.go; in programs it may stand in any file.
func checkDoc(r *Repo, report func(*File, token.Pos, string, ...any)) {
	first := map[string]*File{}
	documented := map[string]bool{}
	var dirs []string
	for _, f := range r.Files {
		if f.Test {
			continue
		}
		if first[f.Dir] == nil {
			first[f.Dir] = f
			dirs = append(dirs, f.Dir)
		}
		right := path.Base(f.Path) == "doc.go" || f.AST.Name.Name == "main"
		if right && f.AST.Doc != nil && strings.TrimSpace(f.AST.Doc.Text()) != "" {
			documented[f.Dir] = true
		}
	}
	for _, dir := range dirs {
		if _, free := unowned[dir]; !documented[dir] && !free {
			report(first[dir], first[dir].AST.Package, "package %s has no doc.go with a package comment: say what it is, what to read in which order, who runs it, and its invariants", dir)
		}
	}
}

func checkFormat(r *Repo, report func(*File, token.Pos, string, ...any)) {
	for _, f := range r.Files {
		want, err := format.Source(f.Src)
		if err != nil || bytes.Equal(want, f.Src) {
			continue
		}
		line := 1 + bytes.Count(f.Src[:alike(f.Src, want)], []byte("\n"))
		report(f, r.Fset.File(f.AST.Pos()).LineStart(min(line, r.Fset.File(f.AST.Pos()).LineCount())), "not formatted: run gofmt -w %s", f.Path)
	}
}

// alike is the length of what a and b begin with alike.
func alike(a, b []byte) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}
