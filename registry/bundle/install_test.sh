#!/bin/sh
# Checks this folder where it is installed: that nothing in it was changed, and
# that the endpoint of config.finetuned.json answers as the model that is packaged
# here. It needs sha256sum or shasum, curl, and the API's key in the variable that
# config.finetuned.json names (api_key_env).
#
#   ./install_test.sh                          asks the endpoint of the configuration
#   ./install_test.sh http://localhost:8000/v1 asks another one
#
# request.json is what is sent: the system prompt that the model was trained under,
# and one question. weir model check does the same, and more.
set -eu
cd "$(dirname "$0")"

if command -v sha256sum >/dev/null; then
    sha256sum -c SHA256SUMS >/dev/null
else
    shasum -a 256 -c SHA256SUMS >/dev/null
fi
echo "ok: the files are those of the package"

value() { # the text of a key of a JSON file that has each key once, a key a line
    sed -n 's/^ *"'"$1"'": "\(.*\)",\{0,1\}$/\1/p' config.finetuned.json
}
model=$(value model)
url=$(value url)
key=$(value api_key_env)
[ $# -eq 0 ] || url=${1%/}/chat/completions
eval "token=\${$key:-}"
if [ -z "$token" ]; then
    echo "failed: $key is not set" >&2
    exit 2
fi

reply=$(mktemp)
trap 'rm -f "$reply"' EXIT
# The header goes through a file: a command line is for everybody to see.
status=$(printf 'header = "Authorization: Bearer %s"\n' "$token" | curl -sS -K - -o "$reply" -w '%{http_code}' \
    --max-time 120 -H 'Content-Type: application/json' --data-binary @request.json "$url")
if [ "$status" != 200 ]; then
    echo "failed: $url answers $status: $(head -c 300 "$reply")" >&2
    exit 1
fi
answered=$(tr '\n' ' ' <"$reply" | sed -n 's/.*"model" *: *"\([^"]*\)".*/\1/p')
if [ "$answered" != "$model" ]; then
    echo "failed: $url answers as '$answered', not as '$model'" >&2
    exit 1
fi
echo "ok: $url answers as $model"
