package sandbox

import (
	"flag"
	"io"

	"k8s.io/klog/v2"
)

// LogTo sends the log of the Kubernetes libraries in this process to w instead
// of stderr: what they say would bury what the user wants to see.
func LogTo(w io.Writer) {
	flags := flag.NewFlagSet("klog", flag.ContinueOnError)
	klog.InitFlags(flags)
	for name, value := range map[string]string{"logtostderr": "false", "alsologtostderr": "false", "stderrthreshold": "FATAL"} {
		if err := flags.Set(name, value); err != nil {
			panic(err) // the flags are klog's own
		}
	}
	klog.SetOutput(w)
}
