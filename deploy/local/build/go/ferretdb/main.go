// The MongoDB server of the tests: FerretDB's embedded API with its SQLite backend.
package main

import (
	"context"
	"flag"
	"log"
	"os/signal"
	"syscall"

	"github.com/FerretDB/FerretDB/ferretdb"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:27017", "address without TLS")
	tlsListen := flag.String("tls-listen", "", "address with TLS; needs -tls-cert and -tls-key")
	cert := flag.String("tls-cert", "", "file with the server's certificate (PEM)")
	key := flag.String("tls-key", "", "file with the certificate's key (PEM)")
	data := flag.String("data", ".", "directory of the databases")
	flag.Parse()

	server, err := ferretdb.New(&ferretdb.Config{
		Listener: ferretdb.ListenerConfig{
			TCP: *listen, TLS: *tlsListen, TLSCertFile: *cert, TLSKeyFile: *key,
		},
		Handler:   "sqlite",
		SQLiteURL: "file:" + *data + "/",
	})
	if err != nil {
		log.Fatal(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := server.Run(ctx); err != nil {
		log.Fatal(err)
	}
}
