#!/usr/bin/env bash
# docker-compose.yml against the compose specification, by the loader that
# docker compose itself uses: schema, interpolation and consistency. No Docker.
set -euo pipefail
cd "$(dirname "$0")/.."
model=$(go run github.com/compose-spec/compose-go/v2/cmd@v2.16.2 --format json docker-compose.yml)
python3 -c '
import json, sys
model = json.load(sys.stdin)
print("docker-compose.yml:", ", ".join(sorted(model["services"])))
missing = {"kafka", "sink"} - model["services"].keys()
if missing or not model.get("volumes"):
    sys.exit("docker-compose.yml: a broker with a volume and a sink belong there")
' <<<"$model"
