// Package flags holds the test that every flag that vicinity-sandbox and vicinity-scheduler
// add is used by a test that runs the program. It reads the code of both sides instead of
// linking it: those programs are run as processes, by packages that link an API server. The
// flags of vicinity are checked by its own tests, as they run. There is no code here for
// others to use.
package flags
