// Package dagre embeds the JavaScript library @dagrejs/dagre, which lays out
// directed graphs in layers, for package page. Its licence stands beside it, where
// make licences finds it. make page-assets fetches both anew, from the version in
// package.json.
package dagre

import _ "embed" // the library and its licence

//go:embed dagre.min.js
var library string

//go:embed LICENSE
var licence string

// Script returns the library with its licence as a comment. It declares one name,
// dagre.
func Script() string {
	return "/*! @dagrejs/dagre\n" + licence + "*/\n" + library
}
