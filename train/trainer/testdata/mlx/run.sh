#!/usr/bin/env bash
# Trains. Needs: pip install -r requirements.txt
set -euo pipefail
cd "$(dirname "$0")"
mkdir -p output
mlx_lm.lora --config mlx.yaml "$@" 2>&1 | tee -a output/train.log
