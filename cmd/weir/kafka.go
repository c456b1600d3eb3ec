package main

import (
	"os"

	"github.com/urfave/cli/v2"

	"github.com/weir-lake/weir/ingest"
)

// passwordVariable holds the password of --kafka-user: a flag would show it in
// the list of processes.
const passwordVariable = "WEIR_KAFKA_PASSWORD"

// kafkaFlags are on every command that has --brokers: see withKafkaFlags.
func kafkaFlags() []cli.Flag {
	flag := func(name, usage, variable string) cli.Flag {
		return &cli.StringFlag{Name: name, Usage: usage, EnvVars: []string{variable}, Category: "Kafka"}
	}
	return []cli.Flag{
		&cli.BoolFlag{Name: "kafka-tls", Usage: "encrypt; implied by the flags of certificates", EnvVars: []string{"WEIR_KAFKA_TLS"}, Category: "Kafka"},
		flag("kafka-ca", "check the cluster's certificates against `FILE`, not the system's authorities", "WEIR_KAFKA_CA"),
		flag("kafka-cert", "our certificate, PEM `FILE`", "WEIR_KAFKA_CERT"),
		flag("kafka-key", "its key, PEM `FILE`", "WEIR_KAFKA_KEY"),
		flag("kafka-server-name", "`NAME` that the cluster's certificates are for, if not the host's", "WEIR_KAFKA_SERVER_NAME"),
		&cli.BoolFlag{Name: "kafka-insecure-skip-verify", Usage: "take any certificate: whoever is on the way can read and change everything", Category: "Kafka"},
		flag("kafka-sasl", "`MECHANISM`: plain, scram-sha-256 or scram-sha-512", "WEIR_KAFKA_SASL"),
		flag("kafka-user", "`NAME`; the password comes from the environment, "+passwordVariable, "WEIR_KAFKA_USER"),
	}
}

// withKafkaFlags adds them to the commands that can be told a cluster.
func withKafkaFlags(commands []*cli.Command) {
	for _, command := range commands {
		for _, known := range command.Flags {
			if known.Names()[0] == "brokers" {
				command.Flags = append(command.Flags, kafkaFlags()...)
				break
			}
		}
		withKafkaFlags(command.Subcommands)
	}
}

// kafkaSecurity reads them.
func kafkaSecurity(c *cli.Context) ingest.Security {
	return ingest.Security{
		TLS:                c.Bool("kafka-tls"),
		CAFile:             c.String("kafka-ca"),
		CertFile:           c.String("kafka-cert"),
		KeyFile:            c.String("kafka-key"),
		ServerName:         c.String("kafka-server-name"),
		InsecureSkipVerify: c.Bool("kafka-insecure-skip-verify"),
		Mechanism:          c.String("kafka-sasl"),
		User:               c.String("kafka-user"),
		Password:           os.Getenv(passwordVariable),
	}
}
