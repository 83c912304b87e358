// A TLS end of Go's crypto/tls: TlsPeer client|server KEY=VALUE...
//
// address, cert, key, ca, version (1.2 or 1.3), groups (names, comma-separated), count.
// client: connects count times, one after the other, sends the file say, reads want bytes.
// server: serves count connections, echoes until their end.
// Prints a line for each: version, cipher suite, whether resumed, SHA-256 of what it read.
package main

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
)

var given = map[string]string{}

func need(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func number(key string) int {
	value, err := strconv.Atoi(given[key])
	need(err)
	return value
}

func config() *tls.Config {
	own, err := tls.LoadX509KeyPair(given["cert"], given["key"])
	need(err)
	pem, err := os.ReadFile(given["ca"])
	need(err)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	version := map[string]uint16{"1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13}[given["version"]]
	ids := map[string]tls.CurveID{"X25519": tls.X25519, "P-256": tls.CurveP256,
		"P-384": tls.CurveP384, "P-521": tls.CurveP521}
	var groups []tls.CurveID
	for _, name := range strings.FieldsFunc(given["groups"], func(r rune) bool { return r == ',' }) {
		groups = append(groups, ids[name])
	}
	return &tls.Config{Certificates: []tls.Certificate{own}, RootCAs: pool, ClientCAs: pool,
		ClientAuth: tls.RequireAndVerifyClientCert, ServerName: "localhost",
		MinVersion: version, MaxVersion: version, CurvePreferences: groups,
		ClientSessionCache: tls.NewLRUClientSessionCache(8)}
}

func report(connection *tls.Conn, sum []byte) {
	state := connection.ConnectionState()
	version := map[uint16]string{tls.VersionTLS12: "1.2", tls.VersionTLS13: "1.3"}[state.Version]
	fmt.Println(version, tls.CipherSuiteName(state.CipherSuite), state.DidResume,
		fmt.Sprintf("%x", sum))
}

func ask(settings *tls.Config, say []byte) {
	connection, err := tls.Dial("tcp", given["address"], settings)
	need(err)
	need(connection.SetDeadline(time.Now().Add(30 * time.Second)))
	go func() {
		_, err := connection.Write(say)
		need(err)
	}()
	hash := sha256.New()
	_, err = io.CopyN(hash, connection, int64(number("want")))
	need(err)
	report(connection, hash.Sum(nil))
	need(connection.Close())
}

func serve(connection *tls.Conn) {
	need(connection.SetDeadline(time.Now().Add(30 * time.Second)))
	hash := sha256.New()
	_, err := io.Copy(io.MultiWriter(hash, connection), connection)
	need(err)
	report(connection, hash.Sum(nil))
	need(connection.Close())
}

func main() {
	for _, word := range os.Args[2:] {
		key, value, _ := strings.Cut(word, "=")
		given[key] = value
	}
	settings := config()
	if os.Args[1] == "client" {
		say, err := os.ReadFile(given["say"])
		need(err)
		for i := 0; i < number("count"); i++ {
			ask(settings, say)
		}
		return
	}
	listener, err := tls.Listen("tcp", given["address"], settings)
	need(err)
	for i := 0; i < number("count"); i++ {
		connection, err := listener.Accept()
		need(err)
		serve(connection.(*tls.Conn))
	}
}
