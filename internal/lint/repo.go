package lint

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// module is the import path that the folders of the repository are under.
const module = "github.com/weirstream/weir"

// File is one parsed Go file.
type File struct {
	Path string // from the root of the repository, with slashes
	Dir  string // "." for the root
	Src  []byte
	AST  *ast.File
	Test bool // _test.go
}

// External reports whether f is a test that sees its package from outside.
func (f *File) External() bool { return f.Test && strings.HasSuffix(f.AST.Name.Name, "_test") }

// Repo is all Go source of a module.
type Repo struct {
	Fset  *token.FileSet
	Files []*File // by path
}

// Finding is one breach of a rule.
type Finding struct {
	Path string
	Line int
	Rule string
	Text string // what is wrong and what to do
}

func (f Finding) String() string {
	return fmt.Sprintf("%s:%d: [%s] %s", f.Path, f.Line, f.Rule, f.Text)
}

// Rule checks one thing over the whole repository.
type Rule struct {
	Name  string
	Check func(r *Repo, report func(f *File, pos token.Pos, format string, args ...any))
}

// Rules are all house rules.
func Rules() []Rule {
	return []Rule{
		{"imports", checkImports},
		{"owners", checkOwners},
		{"pure", checkPure},
		{"names", checkNames},
		{"concurrency", checkConcurrency},
		{"clocks", checkClocks},
		{"sleep", checkSleep},
		{"doc", checkDoc},
		{"size", checkSizes},
		{"gofmt", checkFormat},
	}
}

// Load parses all Go files below the root of fsys but those of other modules, testdata and hidden folders.
func Load(fsys fs.FS) (*Repo, error) {
	r := &Repo{Fset: token.NewFileSet()}
	err := fs.WalkDir(fsys, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			return enter(fsys, p)
		}
		if !strings.HasSuffix(p, ".go") {
			return nil
		}
		src, err := fs.ReadFile(fsys, p)
		if err != nil {
			return err
		}
		parsed, err := parser.ParseFile(r.Fset, p, src, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		r.Files = append(r.Files, &File{Path: p, Dir: path.Dir(p), Src: src, AST: parsed, Test: strings.HasSuffix(p, "_test.go")})
		return nil
	})
	return r, err
}

// enter says whether the walk goes into folder p.
func enter(fsys fs.FS, p string) error {
	if p == "." {
		return nil
	}
	name := path.Base(p)
	if name == "testdata" || name == "node_modules" || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") {
		return fs.SkipDir
	}
	if _, err := fs.Stat(fsys, path.Join(p, "go.mod")); err == nil {
		return fs.SkipDir
	}
	return nil
}

// Run checks r against all rules and returns the findings by place.
func Run(r *Repo) []Finding {
	var all []Finding
	for _, rule := range Rules() {
		rule.Check(r, func(f *File, pos token.Pos, format string, args ...any) {
			line := 1
			if pos.IsValid() {
				line = r.Fset.Position(pos).Line
			}
			all = append(all, Finding{f.Path, line, rule.Name, fmt.Sprintf(format, args...)})
		})
	}
	slices.SortStableFunc(all, func(a, b Finding) int {
		if a.Path != b.Path {
			return strings.Compare(a.Path, b.Path)
		}
		return a.Line - b.Line
	})
	return all
}

// importNames maps the names under which f knows its imports to their paths.
func (f *File) importNames() map[string]string {
	names := map[string]string{}
	for _, s := range f.AST.Imports {
		p := strings.Trim(s.Path.Value, `"`)
		name := path.Base(p)
		if name == "v2" {
			name = path.Base(path.Dir(p))
		}
		if s.Name != nil {
			name = s.Name.Name
		}
		names[name] = p
	}
	return names
}

// selected calls use for every pkg.Name in f whose pkg is an import.
func (f *File) selected(use func(pkg, name string, at ast.Node)) {
	names := f.importNames()
	ast.Inspect(f.AST, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			if id, ok := sel.X.(*ast.Ident); ok && names[id.Name] != "" {
				use(names[id.Name], sel.Sel.Name, sel)
			}
		}
		return true
	})
}
