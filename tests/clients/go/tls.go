// The column tls: with the authority's certificate, with a client's too, and not without them.
package main

import (
	"github.com/apache/arrow-adbc/go/adbc"
	"github.com/apache/arrow-adbc/go/adbc/driver/flightsql"
)

func tlsChecks() []check {
	return []check{
		{"tls", "with the authority's certificate", func(t *target) {
			for _, uri := range []string{"grpc+tls://" + t.tlsAddress, "flightsql://" + t.tlsAddress} {
				connection := must(t.try(uri, options{flightsql.OptionSSLRootCerts: t.ca}))
				equal(connection.one("SELECT count(*) FROM health.city"), "5247")
				connection.close()
			}
		}},
		{"tls", "without the authority's certificate it fails", func(t *target) {
			_, err := t.try("grpc+tls://"+t.tlsAddress, nil)
			refused(err, adbc.StatusIO, "certificate")
		}},
		{"tls", "without verifying", func(t *target) {
			connection := must(t.try("grpc+tls://"+t.tlsAddress, options{flightsql.OptionSSLSkipVerify: adbc.OptionValueEnabled}))
			defer connection.close()
			equal(connection.one("SELECT count(*) FROM health.city"), "5247")
		}},
		{"tls", "mTLS with the client's certificate", func(t *target) {
			connection := must(t.try("grpc+tls://"+t.mtlsAddress, options{
				flightsql.OptionSSLRootCerts:   t.ca,
				flightsql.OptionMTLSCertChain:  t.clientCert,
				flightsql.OptionMTLSPrivateKey: t.clientKey,
			}))
			defer connection.close()
			equal(connection.one("SELECT count(*) FROM health.city"), "5247")
		}},
		{"tls", "mTLS without a client's certificate fails", func(t *target) {
			_, err := t.try("grpc+tls://"+t.mtlsAddress, options{flightsql.OptionSSLRootCerts: t.ca})
			refused(err, adbc.StatusIO, "")
		}},
	}
}
