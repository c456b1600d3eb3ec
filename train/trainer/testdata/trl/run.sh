#!/bin/sh
# Trains. Needs: pip install -r requirements.txt
set -eu
cd "$(dirname "$0")"
exec python train_trl.py "$@"
