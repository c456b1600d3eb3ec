# Sourced by the checks: a Python venv with the readers, made once. Where there
# is no Python, the check says so and is skipped; it never passes silently.
if ! command -v python3 >/dev/null 2>&1; then
  echo "skipped: no python3 on this machine"
  exit 0
fi
VENV="${VENV:-.venv}"
if [ ! -x "$VENV/bin/python" ]; then
  python3 -m venv "$VENV"
fi
"$VENV/bin/pip" install --quiet --disable-pip-version-check --requirement .ci/requirements.txt
