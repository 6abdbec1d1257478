package lint

import (
	"go/ast"
	"go/token"
	"path"
	"slices"
	"strings"
	"unicode"
)

// forbiddenWords say nothing about what something is.
var forbiddenWords = []string{"util", "utils", "common", "helper", "helpers", "base", "impl"}

const rename = "name it after what it is: its main noun"

func checkNames(r *Repo, report func(*File, token.Pos, string, ...any)) {
	seen := map[string]bool{}
	for _, f := range r.Files {
		if !seen[f.Dir] {
			seen[f.Dir] = true
			if w := badWord(strings.Split(path.Base(f.Dir), "_")); w != "" {
				report(f, f.AST.Package, "folder %s is named %q: %s", f.Dir, w, rename)
			}
		}
		if w := badWord(strings.Split(f.AST.Name.Name, "_")); w != "" {
			report(f, f.AST.Name.Pos(), "package %s is named %q: %s", f.AST.Name.Name, w, rename)
		}
		file := strings.TrimSuffix(path.Base(f.Path), ".go")
		if w := badWord(strings.Split(file, "_")); w != "" {
			report(f, f.AST.Package, "file %s is named %q: %s", path.Base(f.Path), w, rename)
		}
		for _, d := range f.AST.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.TYPE {
				continue
			}
			for _, s := range g.Specs {
				name := s.(*ast.TypeSpec).Name
				if w := badWord(camelWords(name.Name)); name.IsExported() && w != "" {
					report(f, name.Pos(), "type %s is named %q: %s", name.Name, w, rename)
				}
			}
		}
	}
}

func badWord(words []string) string {
	for _, w := range words {
		if w = strings.ToLower(w); slices.Contains(forbiddenWords, w) {
			return w
		}
	}
	return ""
}

// camelWords splits a name such as MapReader at its capitals.
func camelWords(name string) []string {
	var words []string
	start := 0
	for i, c := range name {
		if i > start && unicode.IsUpper(c) && !unicode.IsUpper(rune(name[i-1])) {
			words = append(words, name[start:i])
			start = i
		}
	}
	return append(words, name[start:])
}
