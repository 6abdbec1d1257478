// Command node is Weir's one binary, with the built-in example jobs. Users build their own over package node.
package main
