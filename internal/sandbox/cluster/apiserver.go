package cluster

import (
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/pflag"
	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/client-go/util/cert"
	"k8s.io/client-go/util/keyutil"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
	"k8s.io/kubernetes/cmd/kube-apiserver/app/options"
)

// serviceAccountKey is the file with the key that signs tokens of ServiceAccounts.
const serviceAccountKey = "service-account.key"

// startAPIServer runs kube-apiserver until runCtx ends and returns when it is
// ready.
func (c *Cluster) startAPIServer(startCtx, runCtx context.Context, version string) error {
	token, args, err := c.apiServerArgs()
	if err != nil {
		return err
	}
	if version != "" {
		args = append(args, "--emulated-version="+version)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listening: %w", err)
	}
	if err := registerRelease(); err != nil {
		return fmt.Errorf("its version: %w", err)
	}
	o := options.NewServerRunOptions()
	flags := pflag.NewFlagSet("kube-apiserver", pflag.ContinueOnError)
	for _, set := range o.Flags().FlagSets {
		flags.AddFlagSet(set)
	}
	if err := flags.Parse(args); err != nil {
		return fmt.Errorf("its flags: %w", err)
	}
	o.SecureServing.Listener = listener
	o.SecureServing.BindPort = listener.Addr().(*net.TCPAddr).Port
	o.SecureServing.ExternalAddress = net.IPv4(127, 0, 0, 1)
	if err := o.GenericServerRunOptions.ComponentGlobalsRegistry.Set(); err != nil {
		return fmt.Errorf("feature gates: %w", err)
	}
	completed, err := o.Complete(runCtx)
	if err != nil {
		return fmt.Errorf("completing its options: %w", err)
	}
	if errs := completed.Validate(); len(errs) > 0 {
		return fmt.Errorf("its options: %w", errors.Join(errs...))
	}
	ended := make(chan error, 1)
	c.running.Go(func() {
		err := c.runAPIServer(runCtx, completed)
		c.failed(err)
		ended <- err
	})
	if err := c.connect("https://"+listener.Addr().String(), token); err != nil {
		return err
	}
	return wait.PollUntilContextCancel(startCtx, 100*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		select {
		case err := <-ended:
			return false, fmt.Errorf("it has ended: %w", err)
		default:
		}
		_, err := c.client.Discovery().RESTClient().Get().AbsPath("/readyz").DoRaw(ctx)
		return err == nil, nil
	})
}

// runAPIServer is app.Run, except that connections to pods and kubelets go over the simulated
// network.
func (c *Cluster) runAPIServer(ctx context.Context, o options.CompletedOptions) error {
	var err error
	if o.InformerName, err = cache.NewInformerName("kube-apiserver"); err != nil {
		return err
	}
	config, err := app.NewConfig(o)
	if err != nil {
		return err
	}
	c.network.carry(config.KubeAPIs.ControlPlane.ProxyTransport)
	config.KubeAPIs.KubeletClientConfig.Lookup = c.network.lookup
	completed, err := config.Complete()
	if err != nil {
		return err
	}
	server, err := app.CreateServerChain(completed)
	if err != nil {
		return err
	}
	prepared, err := server.PrepareRun()
	if err != nil {
		return err
	}
	return prepared.Run(ctx)
}

// apiServerArgs writes the files that the API server needs and returns the
// administrator's token and the flags.
func (c *Cluster) apiServerArgs() (token string, args []string, err error) {
	random := make([]byte, 16)
	if _, err := rand.Read(random); err != nil {
		return "", nil, fmt.Errorf("making a token: %w", err)
	}
	token = hex.EncodeToString(random)
	path := func(name string) string { return filepath.Join(c.dir, name) }
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", nil, fmt.Errorf("making a key: %w", err)
	}
	keyPEM, err := keyutil.MarshalPrivateKeyToPEM(key)
	if err != nil {
		return "", nil, fmt.Errorf("making a key: %w", err)
	}
	ca, err := cert.NewSelfSignedCACert(cert.Config{CommonName: "sandbox-client-ca"}, key)
	if err != nil {
		return "", nil, fmt.Errorf("making a client CA: %w", err)
	}
	caPEM, err := cert.EncodeCertificates(ca)
	if err != nil {
		return "", nil, fmt.Errorf("making a client CA: %w", err)
	}
	for name, content := range map[string][]byte{
		serviceAccountKey: keyPEM,
		"client-ca.crt":   caPEM,
		"tokens.csv":      []byte(token + ",admin,admin,system:masters\n"),
	} {
		if err := os.WriteFile(path(name), content, 0o600); err != nil {
			return "", nil, fmt.Errorf("writing %s: %w", name, err)
		}
	}
	return token, []string{
		"--etcd-servers=" + c.etcd.endpoint,
		"--cert-dir=" + path("apiserver"),
		"--authorization-mode=RBAC",
		"--token-auth-file=" + path("tokens.csv"),
		"--client-ca-file=" + path("client-ca.crt"),
		// Nobody has a certificate of this CA, but components that delegate
		// their authentication expect one to be configured.
		"--requestheader-client-ca-file=" + path("client-ca.crt"),
		"--requestheader-allowed-names=front-proxy-client",
		"--requestheader-username-headers=X-Remote-User",
		"--requestheader-group-headers=X-Remote-Group",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + path(serviceAccountKey),
		"--service-account-signing-key-file=" + path(serviceAccountKey),
		"--service-cluster-ip-range=10.96.0.0/16",
		"--endpoint-reconciler-type=none",
		"--anonymous-auth=false",
		// It taints new nodes until the node lifecycle controller, which does
		// not run here, has seen them Ready.
		"--disable-admission-plugins=TaintNodesByCondition",
	}, nil
}

// connect makes the administrator's kubeconfig and client.
func (c *Cluster) connect(server, token string) error {
	path, err := c.writeKubeconfig("admin", server, token)
	if err != nil {
		return err
	}
	c.kubeconfig = path
	if c.config, err = clientcmd.BuildConfigFromFlags("", path); err != nil {
		return fmt.Errorf("reading the kubeconfig: %w", err)
	}
	c.config.QPS, c.config.Burst = -1, -1 // no limit: it is our own server
	if c.client, err = kubernetes.NewForConfig(c.config); err != nil {
		return fmt.Errorf("making a client: %w", err)
	}
	return nil
}

// writeKubeconfig writes a kubeconfig file for a user. The API server's
// certificate is signed by itself, so it is its own CA.
func (c *Cluster) writeKubeconfig(user, server, token string) (string, error) {
	ca, err := os.ReadFile(filepath.Join(c.dir, "apiserver", "apiserver.crt"))
	if err != nil {
		return "", fmt.Errorf("reading the API server's certificate: %w", err)
	}
	path := filepath.Join(c.dir, user+".kubeconfig")
	// Somebody may be reading the one from before.
	next, err := os.CreateTemp(c.dir, "kubeconfig-")
	if err != nil {
		return "", fmt.Errorf("writing the kubeconfig of %s: %w", user, err)
	}
	_ = next.Close()
	err = clientcmd.WriteToFile(clientcmdapi.Config{
		Clusters:       map[string]*clientcmdapi.Cluster{"sandbox": {Server: server, CertificateAuthorityData: ca}},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{user: {Token: token}},
		Contexts:       map[string]*clientcmdapi.Context{"sandbox": {Cluster: "sandbox", AuthInfo: user}},
		CurrentContext: "sandbox",
	}, next.Name())
	if err = cmp.Or(err, os.Rename(next.Name(), path)); err != nil {
		return "", fmt.Errorf("writing the kubeconfig of %s: %w", user, err)
	}
	return path, nil
}

// ServiceAccountKubeconfig writes a kubeconfig file with a token of a
// ServiceAccount's own, good for a week, and returns its path.
func (c *Cluster) ServiceAccountKubeconfig(ctx context.Context, namespace, name string) (string, error) {
	seconds := int64(7 * 24 * time.Hour / time.Second)
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &seconds}}
	request, err := c.client.CoreV1().ServiceAccounts(namespace).CreateToken(ctx, name, request, metav1.CreateOptions{})
	if err != nil {
		return "", fmt.Errorf("asking for a token of ServiceAccount %s/%s: %w", namespace, name, err)
	}
	return c.writeKubeconfig(namespace+"_"+name, c.config.Host, request.Status.Token) // neither has the character
}
