# Make .venv ready; sourced by up, test, bench and chaos, which then call `mdma_setup runtime|dev`.
#
# Rules
# 1. A run that finds everything in place asks the disk three questions and says nothing.
# 2. pip runs only when a lock's hash changed. The development lock holds the runtime lock's versions
#    and more, so it counts as both.
# 3. Two runs at once wait for each other: the lock is the project folder itself, no file is left.
# 4. The project is linked, not built: one .pth and one launcher, so that no build tool is needed.
# 5. All words go to stderr: stdout belongs to what is run afterwards.
# shellcheck shell=bash

MDMA_ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)"
MDMA_VENV="$MDMA_ROOT/.venv"
MDMA_NAME="scripts/$(basename "$0")"

mdma_say() { printf '%s\n' "$*" >&2; }

mdma_die() {
  mdma_say "$MDMA_NAME: $1"
  exit "${2:-1}"
}

mdma_setup() {
  local kind="$1"
  mdma_is_ready "$kind" && return 0
  if command -v flock >/dev/null; then
    exec 9<"$MDMA_ROOT"
    if ! flock --nonblock 9; then
      mdma_say "waiting for another set-up of this folder to finish"
      flock 9
    fi
  fi
  if ! mdma_is_ready "$kind"; then  # the other one may have done it
    mdma_make_venv
    mdma_install "$kind"
    mdma_link
    mdma_stamp "$kind"
    mdma_say "ready"
  fi
  if command -v flock >/dev/null; then exec 9<&-; fi
}

mdma_lock_file() {
  if [ "$1" = dev ]; then echo "$MDMA_ROOT/requirements-dev.lock"; else echo "$MDMA_ROOT/requirements.lock"; fi
}

# What must be equal for nothing to be done: the lock, the place, the interpreter, these rules.
mdma_fingerprint() {
  local sum=sha256sum
  command -v sha256sum >/dev/null || sum="shasum -a 256"
  $sum <"$(mdma_lock_file "$1")"
  $sum <"$MDMA_ROOT/scripts/_setup.sh"
  "$MDMA_VENV/bin/python" -V
  echo "$MDMA_ROOT"
}

mdma_is_ready() {
  [ -x "$MDMA_VENV/bin/python" ] && [ -f "$MDMA_VENV/.mdma-$1" ] &&
    [ "$(mdma_fingerprint "$1")" = "$(cat "$MDMA_VENV/.mdma-$1")" ]
}

mdma_stamp() {
  if [ "$1" = dev ]; then mdma_fingerprint runtime >"$MDMA_VENV/.mdma-runtime"; fi
  mdma_fingerprint "$1" >"$MDMA_VENV/.mdma-$1"
}

# Print the first CPython from 3.11 on: one for which the locked packages have wheels, if there is one.
mdma_find_python() {
  local newest candidate
  for newest in 14 99; do
    for candidate in ${MDMA_PYTHON:+"$MDMA_PYTHON"} python3 python3.14 python3.13 python3.12 python3.11 python; do
      command -v "$candidate" >/dev/null || continue
      "$candidate" -c "import sys; sys.exit(not ((3, 11) <= sys.version_info[:2] <= (3, $newest)
        and sys.implementation.name == 'cpython'))" 2>/dev/null || continue
      command -v "$candidate"
      return 0
    done
  done
  return 1
}

mdma_make_venv() {
  local python
  # A folder that was moved keeps the old place in its launchers: make it anew.
  if [ -f "$MDMA_VENV/.mdma-root" ] && [ "$(cat "$MDMA_VENV/.mdma-root")" = "$MDMA_ROOT" ] || [ ! -f "$MDMA_VENV/.mdma-root" ]; then
    "$MDMA_VENV/bin/python" -c 'import pip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && {
      echo "$MDMA_ROOT" >"$MDMA_VENV/.mdma-root"
      return 0
    }
  fi
  # Making it anew empties it first: never that of another folder.
  [ -L "$MDMA_VENV" ] && mdma_die ".venv is a link to the environment of another folder: remove it (rm .venv) and try again"
  python="$(mdma_find_python)" ||
    mdma_die "Python 3.11 or newer is needed and none was found: install one, or name it in MDMA_PYTHON"
  mdma_say "making .venv with $("$python" -V)"
  "$python" -m venv --clear "$MDMA_VENV" >&2 ||
    mdma_die "could not make .venv: install Python's venv module (on Debian: python3-venv) and try again"
  echo "$MDMA_ROOT" >"$MDMA_VENV/.mdma-root"
}

mdma_install() {
  local lock log ticker status=0
  lock="$(mdma_lock_file "$1")"
  log="$MDMA_VENV/.mdma-pip.log"
  mdma_say "installing $(grep -c '==' "$lock") packages from $(basename "$lock") (about two minutes the first time)"
  mdma_tick 9<&- &
  ticker=$!
  PIP_USER=0 PIP_NO_INPUT=1 PIP_DISABLE_PIP_VERSION_CHECK=1 "$MDMA_VENV/bin/python" -m pip install \
    --no-deps --require-hashes --progress-bar off -r "$lock" >"$log" 2>&1 9<&- || status=$?
  kill "$ticker" 2>/dev/null || true
  wait "$ticker" 2>/dev/null || true
  if [ -t 2 ] && [ -z "${CI:-}" ]; then printf '\r\033[K' >&2; fi
  if [ "$status" -ne 0 ]; then
    cat "$log" >&2
    mdma_die "pip could not install $(basename "$lock"): what it said stands above"
  fi
}

# Show that pip is alive: a counter on a terminal, a line every half minute elsewhere and under CI.
mdma_tick() {
  local second=0
  while sleep 1 && kill -0 $$ 2>/dev/null; do
    second=$((second + 1))
    if [ -t 2 ] && [ -z "${CI:-}" ]; then
      printf '\r  %d s' "$second" >&2
    elif [ $((second % 30)) -eq 0 ]; then
      mdma_say "  still installing ($second s)"
    fi
  done
}

mdma_link() {
  "$MDMA_VENV/bin/python" - "$MDMA_ROOT" <<'PYTHON'
import pathlib
import sys
import sysconfig

root = sys.argv[1]
pathlib.Path(sysconfig.get_path("purelib"), "mdma.pth").write_text(root + "\n", encoding="utf-8")
launcher = pathlib.Path(sysconfig.get_path("scripts"), "mdma")
# Through sh, since a #! line holds neither spaces nor more than 127 bytes.
launcher.write_text(
    "#!/bin/sh\n"
    f"'''exec' \"{sys.executable}\" \"$0\" \"$@\"\n"
    "' '''\n"
    "import sys\n\n"
    "from scripts.cli import main\n\n"
    'if __name__ == "__main__":\n'
    "    sys.exit(main())\n",
    encoding="utf-8",
)
launcher.chmod(0o755)
PYTHON
}
