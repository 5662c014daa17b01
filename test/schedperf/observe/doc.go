// Package observe has scheduler plugins that only watch: one counts the pods that
// are bound, the other wraps TrafficLocality and looks at which nodes it is given.
// They change no decision. What they cost is not the plugin's: the first runs in
// both profiles that are compared, the second in blocks that are not timed.
package observe
