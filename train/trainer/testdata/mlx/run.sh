#!/bin/sh
# Trains. Needs: pip install -r requirements.txt
set -eu
cd "$(dirname "$0")"
exec mlx_lm.lora --config mlx.yaml "$@"
