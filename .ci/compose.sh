#!/usr/bin/env bash
# What deploy/ and docker-compose.yml say, without Docker: the compose file by
# the loader that docker compose itself uses (schema, interpolation and
# consistency); each weir command in it and in the systemd units against the
# program's own flags, and so those in the crontab, the Airflow DAG and the
# Kubernetes CronJob; the units by systemd where it is installed, the CronJob by the
# API's schema.
# The alert rules are a test of ingest/metrics, backup.sh is one of cmd/weir.
set -euo pipefail
cd "$(dirname "$0")/.."
go build -o bin/weir ./cmd/weir
go run github.com/compose-spec/compose-go/v2/cmd@v2.16.2 --format json docker-compose.yml | python3 .ci/check_deploy.py compose
python3 .ci/check_deploy.py units deploy/*.service deploy/*.timer
python3 .ci/check_deploy.py cron deploy/weir-export.cron
python3 .ci/check_deploy.py dag deploy/airflow/weir_export.py

if command -v systemd-analyze >/dev/null; then
  units=$(mktemp -d)
  trap 'rm -rf "$units"' EXIT
  for unit in deploy/*.service deploy/*.timer; do
    # The binary is where this machine has it; a template is verified as its first instance.
    name=$(basename "$unit")
    sed "s#/usr/local/bin/weir#$PWD/bin/weir#" "$unit" >"$units/${name/@./@1.}"
  done
  (cd "$units" && systemd-analyze verify ./*)
  echo "systemd-analyze: $(ls "$units" | tr '\n' ' ')"
else
  echo "systemd-analyze is not installed: the units are not verified by it"
fi

# The schema of Kubernetes comes from PyPI.
. .ci/venv.sh
"$VENV/bin/python" .ci/check_deploy.py kubernetes deploy/kubernetes/export-cronjob.yaml
