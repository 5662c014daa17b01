// Package browser tests the pages of the CLI in a browser: what they show, and
// that they ask nobody for anything. It is a module of its own, so that nobody
// else needs a browser's driver.
package browser
